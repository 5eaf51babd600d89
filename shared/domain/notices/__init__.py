"""Notices to an organization's admins: what is told, when, and how a webhook is signed."""
