"""Training/serving skew, and drift of predictions, from logged requests."""
