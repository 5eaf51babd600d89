"""One mailbox: reading it, planning its changes, applying them. Does not depend on `importing`."""
