"""`janus lineage`: what a pushed version was made of."""
