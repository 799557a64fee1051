"""Simple models, one per task, which the network is compared with: a constant, a linear one, boosted trees."""
