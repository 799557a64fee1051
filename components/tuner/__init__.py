"""Tries other values of the configuration's keys: TFX's Tuner on keras-tuner."""
