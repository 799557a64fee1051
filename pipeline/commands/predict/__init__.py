"""`janus predict`: predictions for the rows of files, by a served model or one in a folder."""
