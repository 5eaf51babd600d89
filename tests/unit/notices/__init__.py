"""Notices: causes, deliveries, signatures, and the guard of the receivers' addresses."""
