"""Benchmarks: Graph requests counted exactly, times as ratios within one run."""
