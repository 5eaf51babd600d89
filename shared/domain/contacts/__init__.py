"""Contacts: their fields, the changes a mailbox needs, and which changes wait for an admin."""
