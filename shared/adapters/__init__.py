"""The world outside: storage, Microsoft Graph, Entra ID. No rules of the domain live here."""
