"""Whole histories of the service in virtual time: one seed, one history, checked invariants."""
