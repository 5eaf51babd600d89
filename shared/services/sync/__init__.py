"""One mailbox: reading it, planning its changes, applying them. Knows nothing of `importing`."""
