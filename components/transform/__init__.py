"""TFX's Transform, with examples read, transformed and written a shard at a time. The analysis is TFT's own."""
