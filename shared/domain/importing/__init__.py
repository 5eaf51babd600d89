"""Imports and runs: their settings, their schedule, their queue messages and their results."""
