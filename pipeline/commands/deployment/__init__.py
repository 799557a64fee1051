"""`janus deployment`: the files that TensorFlow Serving needs."""
