"""The rules of contacts: fields, keys, plans, guard and matching."""
