"""The JSON API: one module for each resource. Rules belong to the services."""
