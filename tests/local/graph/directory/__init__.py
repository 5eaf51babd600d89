"""The directory: users, groups and organizational contacts, and the requests for them."""
