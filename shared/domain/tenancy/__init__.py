"""Tenants: licenses, permissions, and what needs an admin's attention."""
