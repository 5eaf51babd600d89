"""Functions that queues and timers trigger."""
