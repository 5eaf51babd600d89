"""The use cases of the app, one job per service. The rules themselves are in the domain."""
