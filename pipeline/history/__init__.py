"""What runs did, what a version was made of, and how two runs differ."""
