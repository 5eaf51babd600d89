"""Builds the app from its parts."""
