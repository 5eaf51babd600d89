"""The rules of Contact Sync, pure: no I/O, no clock, no environment, no randomness."""
