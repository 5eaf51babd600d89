"""Data protection: removing a person everywhere, and leaving the service."""
