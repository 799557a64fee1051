"""`janus versions` and `janus rollback`: the versions in the push folder."""
