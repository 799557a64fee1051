"""Tries the exported model in a process of its own, as TensorFlow Serving will run it, before it is pushed."""
