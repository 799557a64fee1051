"""What is done when a run has ended; a failure of it is a warning, and changes nothing of the run."""
