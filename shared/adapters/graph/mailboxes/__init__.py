"""Mailboxes in Exchange: our contacts and folders in them, and what mailboxes are for."""
