"""The life of two companies under every quirk of Graph: `python -m tests.local quirks`."""
