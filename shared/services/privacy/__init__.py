"""Data protection: finding a person's contacts and removing them everywhere."""
