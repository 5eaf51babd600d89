"""Tenants: who may use the service, what they changed, and how often they may call it."""
