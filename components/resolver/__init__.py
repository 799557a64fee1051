"""Strategies that choose among earlier runs' artifacts: a baseline, a model to start from, the spans to train on."""
