"""Clients that are generated from the API's document, as a partner would generate them."""
