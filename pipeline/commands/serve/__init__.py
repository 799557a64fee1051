"""`janus serve`: the pushed model over REST and gRPC."""
