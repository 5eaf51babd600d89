"""Shares: their sources, and how they become contacts."""
