"""What every entry point sets before TensorFlow is imported: Keras 3, and a terminal free of the libraries' noise."""

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


@dataclass(frozen=True)
class Terminal:
    """The user's terminal, which stays reachable while the libraries' output goes elsewhere."""

    out: TextIO
    err: TextIO


def prepare(verbose: bool = False) -> None:
    """Sets what TensorFlow, Keras, Beam and TFX read when they are imported."""
    # tensorflow-transform would otherwise choose Keras 2 for this process and all its children.
    os.environ["TF_USE_LEGACY_KERAS"] = "0"
    # TFX imports the client of Kubernetes, that its validator where it is installed, and that jsonschema, which
    # compiles a grammar of IRIs: that takes longer than any other import but TensorFlow's. No schema here has an IRI.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    if not verbose:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        for category in (FutureWarning, DeprecationWarning, PendingDeprecationWarning):
            warnings.filterwarnings("ignore", category=category)


@contextmanager
def library_output_to(log: Path, verbose: bool = False) -> Iterator[Terminal]:
    """Sends all that is printed or logged meanwhile to a file; only what is written to the `Terminal` is seen.

    The file descriptors themselves are redirected, because the C++ libraries and child processes write to them
    directly. With `verbose` nothing is redirected, and the log records are seen as well.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a", buffering=1, encoding="utf-8") as file:
        if verbose:
            with _logging_to([file, sys.stderr]):
                yield Terminal(sys.stdout, sys.stderr)
            return
        sys.stdout.flush()
        sys.stderr.flush()
        saved = [os.dup(1), os.dup(2)]
        try:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
            with (
                os.fdopen(os.dup(saved[0]), "w", buffering=1, encoding="utf-8", errors="replace") as out,
                os.fdopen(os.dup(saved[1]), "w", buffering=1, encoding="utf-8", errors="replace") as err,
                redirect_stdout(file),
                redirect_stderr(file),
                _logging_to([file]),
            ):
                yield Terminal(out, err)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for descriptor, original in zip((1, 2), saved, strict=True):
                os.dup2(original, descriptor)
                os.close(original)


@contextmanager
def _logging_to(streams: list[TextIO]) -> Iterator[None]:
    """Makes these streams the only receivers of log records."""
    root = logging.getLogger()
    handlers: list[logging.Handler] = [logging.StreamHandler(stream) for stream in streams]
    for handler in handlers:
        handler.setFormatter(logging.Formatter(LOG_FORMAT))
    before, level = root.handlers[:], root.level
    root.handlers[:] = handlers
    root.setLevel(logging.INFO)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = before
        root.setLevel(level)
