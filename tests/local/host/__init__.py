"""A functions host: runs function_app.py through its decorators, as Azure's host and worker do."""
