"""Pushes blessed models to TensorFlow Serving's folder, a whole version at a time."""
