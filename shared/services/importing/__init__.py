"""Imports and runs: creating and changing imports, starting, closing and reviewing runs."""
