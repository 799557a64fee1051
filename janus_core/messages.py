"""Errors as a person reads them on a terminal."""

import signal

from janus_core.errors import DataError, JanusError


def readable(error: BaseException) -> str:
    """An expected error's message, several problems on a line each; another's type and first line."""
    if isinstance(error, DataError) and len(error.problems) > 1 and "\n" not in str(error):
        return "\n  ".join([f"{len(error.problems)} problems with the data:", *error.problems])
    if isinstance(error, JanusError):
        return str(error)
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def exit_code_of(error: BaseException) -> int:
    """The exit code of a command that an error ends."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    return error.exit_code if isinstance(error, JanusError) else 1
