"""What is known about each mailbox: its head, its contacts, its links, and what waits in it."""
