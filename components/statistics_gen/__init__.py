"""TFX's StatisticsGen, with examples read in large batches. The statistics are TFDV's own; beside them, rows and labels
are counted for the data gates."""
