"""Shares: publishing them, resolving them to contacts, and who imports them."""
