"""Every test passes the same door as the command line, before TensorFlow is imported."""

from pipeline import environment

environment.prepare()
