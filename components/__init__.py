"""TFX components and TFMA metrics of Janus' own."""
