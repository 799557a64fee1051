"""`janus beam`: the arguments of every Beam step."""
