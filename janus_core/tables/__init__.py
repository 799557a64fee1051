"""Reads CSV, Parquet and TFRecord tables as Arrow."""
