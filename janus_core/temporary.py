"""Where temporary files are written."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from janus_core.files import delete

_OUTSIDE = "JANUS_TMPDIR"
"""The variable of the environment with the folder that all processes of this machine share."""


def shared_folder() -> Path:
    """This machine's folder of temporary files, also within `temporary_files_in`."""
    return Path(os.environ.get(_OUTSIDE) or tempfile.gettempdir())


@contextmanager
def temporary_files_in(folder: Path) -> Iterator[None]:
    """Has this process, and those that it starts, write temporary files into a folder, which is removed at the end.

    What was in it before is removed: it is of a process that was killed.
    """
    variables, in_python = {name: os.environ.get(name) for name in ("TMPDIR", _OUTSIDE)}, tempfile.tempdir
    delete(folder)
    folder.mkdir(parents=True)
    os.environ.update({_OUTSIDE: str(shared_folder()), "TMPDIR": str(folder.absolute())})
    tempfile.tempdir = os.environ["TMPDIR"]
    try:
        yield
    finally:
        tempfile.tempdir = in_python
        for name, value in variables.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        delete(folder)
