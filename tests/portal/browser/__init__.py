"""A person with a browser: Chromium, what the page shows, and everything that goes wrong on it."""
