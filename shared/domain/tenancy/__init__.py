"""Tenants: licenses, permissions, and what an admin should look at first."""
