"""Reads and writes the shards of an Examples artifact in large batches, without a Python object per row."""
