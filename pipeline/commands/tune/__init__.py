"""`janus tune`: tries other values of the configuration's keys, and prints and writes the best."""
