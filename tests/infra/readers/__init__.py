"""The template, queries, policies and workbook, read as data."""
