"""Errors that a user can act on, each with the exit code that the command line ends with."""


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
