"""Table and queue storage in memory, with the interface of the Azure SDK's clients."""
