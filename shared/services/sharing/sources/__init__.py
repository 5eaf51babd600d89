"""Sources of contacts: one module for each kind, what they have in common, and their list."""
