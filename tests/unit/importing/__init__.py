"""Services of imports and their runs, without storage."""
