"""Mailboxes: what Exchange keeps for a user, and the requests for it."""
