"""Tenants join and leave; their changes are recorded, and their calls are limited."""
