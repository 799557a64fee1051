"""TFX's StatisticsGen, with examples read in large batches. The statistics are TFDV's own."""
