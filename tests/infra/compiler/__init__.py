"""Microsoft's own tools for the infrastructure: where they are, and what they say of our files."""
