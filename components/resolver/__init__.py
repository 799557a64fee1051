"""Choose among what earlier runs left: the model that a new one is compared with, the spans to train on."""
