"""An ExampleGen that stays in Arrow from the file to the encoded tf.Example."""
