"""Clients of external systems: storage, Microsoft Graph, Entra ID. They contain no domain rules."""
