"""Tests of the Graph simulator."""
