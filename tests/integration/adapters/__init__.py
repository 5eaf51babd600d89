"""Storage, Entra ID, Key Vault and Graph."""
