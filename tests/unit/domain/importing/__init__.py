"""Tests of the rules about imports and their runs."""
