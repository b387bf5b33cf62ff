"""Metrics, datasets, benchmarks and batch runs."""
