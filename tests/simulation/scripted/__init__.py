"""Histories that are written down step by step."""
