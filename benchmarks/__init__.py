"""Measurements beside PyTorch and JAX: `python -m benchmarks`. None of them is a test."""
