"""Sources of contacts: one module per kind, what they have in common, and their list."""
