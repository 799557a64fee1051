"""`janus diff`: how one run differs from another."""
