"""Distances between distributions of columns."""
