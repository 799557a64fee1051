"""TFX's Evaluator, with metrics computed from batches of rows.

Stock TFMA takes each batch apart into one Python dict per row and updates every metric of every slice row by row. Here
a batch stays whole: per slice and metric the sufficient statistics are computed with numpy, and one CombinePerKey
merges them. What comes before (features, labels, weights, predictions) and after (derived metrics, differences to the
baseline, validation, the files) is TFMA's own, so what is written is what TFMA writes.
"""
