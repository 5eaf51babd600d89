"""Notices to an organization's admins: what is reported, when, and how a webhook is signed."""
