"""Where the components' Beam pipelines run: profiles, their arguments, and a check of these before the run."""
