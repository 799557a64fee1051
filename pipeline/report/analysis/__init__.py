"""What the report says beyond the evaluation: computed from a run's artifacts and a sample of its eval rows."""
