"""`janus beam`: what every Beam step is given."""
