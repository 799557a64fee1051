"""`janus compare`: does sharing help? The multi-task network beside single-task ones, over several seeds.

Imports of this package stay light but for `measure` and what `job` imports when it runs.
"""
