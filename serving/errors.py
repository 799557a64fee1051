"""Failures of serving, by the status codes that gRPC and TensorFlow share."""

from enum import IntEnum


class Code(IntEnum):
    """Canonical status codes (google.rpc.Code)."""

    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


class RequestError(Exception):
    """A request that could not be answered; `code` is the kind of failure, the message the reason."""

    def __init__(self, code: Code, message: str):
        super().__init__(message)
        self.code = code

    def __reduce__(self) -> tuple:
        return type(self), (self.code, str(self))


def invalid(message: str) -> RequestError:
    """The error for a request that does not fit the API, the model or the signature."""
    return RequestError(Code.INVALID_ARGUMENT, message)
