"""Read-only views for admins: overview, search, previews, history and result files."""
