"""Imports and their runs, from the call to the mailbox."""
