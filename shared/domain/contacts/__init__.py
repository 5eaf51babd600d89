"""Contacts: their fields, which changes a mailbox needs, and when a change waits for an admin."""
