"""The conformance probe, asked of the Graph simulator."""
