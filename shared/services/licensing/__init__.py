"""Licenses: booking and canceling them, and assigning each to a mailbox that exists."""
