"""Table Storage itself: its client, transactions, queries, the names of tables; no models."""
