"""`python -m pipeline` is `janus`."""

from pipeline.cli import main

if __name__ == "__main__":
    main()
