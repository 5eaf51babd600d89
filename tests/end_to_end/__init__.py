"""End to end tests."""
