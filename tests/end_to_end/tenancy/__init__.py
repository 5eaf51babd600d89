"""Tenants, partners, licenses and people, over HTTP."""
