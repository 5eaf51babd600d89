"""A small app that shows what a functions host does with it; no part of Contact Sync."""
