"""The model's side of Janus: preprocessing_fn, run_fn, encoders, towers, losses and serving signatures."""
