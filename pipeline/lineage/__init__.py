"""What ML Metadata records about runs, artifacts and pushed versions."""
