"""Runs on spans: which one a run takes, and whether there is anything new to do."""
