"""The versions of a pushed model: what is there, where it came from, what rollbacks did."""
