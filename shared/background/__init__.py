"""The functions that queues and timers start."""
