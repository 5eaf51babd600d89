"""The OpenAPI document: assembled from the operations, their models and their docstrings."""
