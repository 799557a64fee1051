"""The console script `janus`."""

import sys

from janus_core.packages import PACKAGES, import_own_packages


def main() -> None:
    """Runs the command line, with Janus' own packages even where others have the same names."""
    import_own_packages()
    try:
        from pipeline.cli import main as run
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] in PACKAGES:
            raise
        # The wheel alone was installed, without what it needs.
        sys.exit(
            f"error: the package '{error.name}' is not installed. In a checkout, run `make setup`; where the wheel was "
            f"installed, run `{sys.executable} {sys.prefix}/share/janus-mtl/install.py` (docs/install.md)."
        )
    run()
