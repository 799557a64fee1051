"""What holds while TFX runs, for every command that runs it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.run.interruption import Interruption
from pipeline.run.progress import LOGGER, Recorder, RunRecord


@contextmanager
def recorded(record: RunRecord, interruption: Interruption) -> Iterator[None]:
    """Writes what happens into the record, and starts no component after an interruption."""
    handlers = [interruption, Recorder(record)]
    for handler in handlers:
        LOGGER.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            LOGGER.removeHandler(handler)


@contextmanager
def own_arguments_hidden() -> Iterator[None]:
    """TFX and Beam read sys.argv for options of theirs, and would take `--set` for `--setup_file`."""
    arguments = sys.argv
    sys.argv = arguments[:1]
    try:
        yield
    finally:
        sys.argv = arguments
