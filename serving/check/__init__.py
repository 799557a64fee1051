"""Tries an exported model as TensorFlow Serving will run it: `python -m serving.check MODEL ROWS FOLDER`.

The process imports TensorFlow and nothing that would bring an operation of its own, as TF Serving has none either.
"""
