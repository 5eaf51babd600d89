"""Shares: which people and groups are published, with which fields, and who may import them."""
