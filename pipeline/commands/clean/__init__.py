"""`janus clean`: removes what no run, baseline or cache needs."""
