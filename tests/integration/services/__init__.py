"""Services in this process, on a real local cloud."""
