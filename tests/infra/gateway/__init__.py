"""What API Management is given: the operations it publishes and its policies."""
