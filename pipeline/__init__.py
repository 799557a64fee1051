"""Configuration, the TFX pipeline, its runners and the command line."""

from janus_core.packages import import_own_packages

import_own_packages()
