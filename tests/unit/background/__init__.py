"""Queue and timer functions."""
