"""Metrics of our own for TFMA: those that it lacks, and those where it answers wrongly without saying so.

What TFMA 0.47-0.52 does, and what is done here instead:

- AUC and AUC-PR rank probabilities by 10,000 buckets of equal width. Where positives are rare, nearly all rows are in
  the first few: at a base rate of 5e-5 an AUC of 0.66 may become 0.51. Here they are exact as long as a slice has few
  enough distinct probabilities (`curves.MOST_CELLS`), and else come from as many buckets of about equal logit
  width. AUC-PR is the average precision.
- AUC and AUC-PR are 0 where one class is absent (a `nansum` of nothing), which drags a macro average down: here they
  are NaN, and a macro average runs over the classes that are present.
- CategoricalCrossEntropy multiplies a sparse label with the log-probabilities; BinaryCrossEntropy is infinite, or NaN
  in masked rows, at a probability of exactly 0 or 1.
- MeanAbsoluteError and its kin skip rows whose prediction is NaN: here such a row makes the metric NaN.
- ExampleCount is the sum of the rows' weights: here labelled rows are counted, whatever they weigh.
- R² is missing (SquaredPearsonCorrelation ignores bias and scale), as are ECE and a macro F1 on sparse labels, and
  whatever counts, ordered classes and quantiles need.

A metric is a small class: which `Statistic` it needs and how its value follows from it. Statistics are computed from
arrays of rows and are merged, so that TFMA's row-wise combiners and the batch engine share one implementation.
"""
