"""Licenses: booking and cancelling them, and assigning each to a mailbox."""
