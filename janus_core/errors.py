"""Errors that a user can act on, each with the exit code of the command line, and how a person reads them."""

import signal

FIRST_SIGNAL = 128
"""Exit codes from here on are of what a signal interrupted: this and the signal's number."""


class JanusError(Exception):
    """An expected failure: its message says what is wrong, where, and what to do."""

    exit_code = 1


class ConfigError(JanusError):
    """The configuration or the command's usage is wrong."""

    exit_code = 2


class DataError(JanusError):
    """The data or the schema is rejected.

    `problems` holds one sentence per finding; the message is their list.
    """

    exit_code = 3

    def __init__(self, message: str, problems: list[str] | None = None):
        super().__init__(message)
        self.problems = problems or [message]

    def __reduce__(self) -> tuple:
        return type(self), (str(self), self.problems)


class GateError(JanusError):
    """The model was trained, but a task's gate failed: nothing was pushed."""

    exit_code = 4


class ServingError(JanusError):
    """The exported model does not answer as it must."""

    exit_code = 5


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
        return FIRST_SIGNAL + signal.SIGINT
    return error.exit_code if isinstance(error, JanusError) else 1
