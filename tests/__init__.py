"""Tests of Contact Sync, and the local cloud they run in."""
