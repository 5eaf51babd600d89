"""The use cases: each service does one job of the app, asking the domain what is right."""
