"""Where the parts of the app are put together."""
