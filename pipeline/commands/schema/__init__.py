"""`janus schema`: the schema inferred from the training split, beside the curated one."""
