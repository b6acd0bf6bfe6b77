"""Kernels with a shape of their own: matrix products, scans, sorts, random numbers."""
