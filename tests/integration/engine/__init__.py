"""The run engine, with workers that die."""
