"""One mailbox: what is read of it, and what is written to it."""
