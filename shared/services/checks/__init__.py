"""A tenant's own check: what Microsoft lets the app do in it, asked line by line."""
