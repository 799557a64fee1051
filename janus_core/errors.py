"""Errors that a user can act on, each with the exit code of the command line, and how a person reads them."""

import errno
import os
import re
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


class MachineError(JanusError):
    """The machine refuses what was asked for: access to a path, room on a disk, memory, open files."""

    exit_code = ConfigError.exit_code


# --- expected failures that other code raises ----------------------------------------------------------------------

_FULL = ("no space is left on the disk", "free some (`df -h` shows how much there is), then run the command again")
_DENIED = ("permission denied", "let this user read and write it (`ls -ld` shows whose it is), or choose another path")
_MEMORY = (
    "there is not enough memory",
    "end other programs, or lower training.batch_size, the sizes in `model` or the number of Beam's workers",
)
_REFUSALS = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: ("the disk quota is used up", "free some space, or have the quota raised"),
    errno.EACCES: _DENIED,
    errno.EPERM: _DENIED,
    errno.EROFS: ("the file system is read-only", "choose another path, or mount it for writing"),
    errno.EFBIG: ("a file may not be as large", "raise the limit (`ulimit -f`), or choose another file system"),
    errno.EMFILE: ("too many files are open", "raise the limit (`ulimit -n`)"),
    errno.ENFILE: ("too many files are open on this machine", "end other programs"),
    errno.ENOMEM: _MEMORY,
    errno.ENAMETOOLONG: ("the path is too long", "choose a shorter one"),
    errno.ENOTDIR: ("a part of the path is a file, not a folder", "choose another path, or move the file away"),
    errno.EISDIR: ("it is a folder, not a file", "choose another path, or move the folder away"),
    errno.ELOOP: ("links on its path point to each other", "correct the links (`ls -l`)"),
    errno.EIO: ("the disk, or the connection to it, fails", "see the system's log (`dmesg`), and check the disk"),
}
"""errno → what is refused, and the remedy."""

_SQLITE = (
    "the disk fails, or does not let a file grow",
    "see how much space there is (`df -h`), what limits files (`ulimit -f`), and the system's log (`dmesg`)",
)
"""SQLite's word for whatever the system answers when it writes."""

_TEXTS = (
    (re.compile(r"No space left on device|(?:database or )?disk is full|ENOSPC"), _FULL),
    (re.compile(r"Disk quota exceeded"), _REFUSALS[errno.EDQUOT]),
    (re.compile(r"Read-only file system"), _REFUSALS[errno.EROFS]),
    (re.compile(r"File too large"), _REFUSALS[errno.EFBIG]),
    (re.compile(r"Too many open files"), _REFUSALS[errno.EMFILE]),
    (re.compile(r"disk I/O error"), _SQLITE),
    (re.compile(r"\bPermission denied|unable to open database file|attempt to write a readonly database"), _DENIED),
    (re.compile(r"\bMemoryError\b|bad_alloc|Cannot allocate memory|malloc of size|OOM when allocating"), _MEMORY),
)
"""The same in the text of libraries, which do not keep the number: Beam's workers, TensorFlow, SQLite, ML Metadata."""

_OF_CODE = (ValueError, TypeError, LookupError, AttributeError, AssertionError, ImportError, SyntaxError)
"""Errors whose text may quote anything."""

_IN_TEXT = re.compile(rf"\b{re.escape(__name__)}\.(\w+): (.*?)(?: \[while running|\n|$)")
_PATH = re.compile(r"'([^'\n]*/[^'\n]*)'|(/[^\s:;,'\"]+)")


def expected(error: BaseException) -> JanusError | None:
    """The expected failure that an error is, or stands for: its own message, or that of what the machine refused.

    An error of a Beam worker arrives as text in another one.
    """
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, JanusError):
            return found
        refused = machine_error(found)
        if refused is not None:
            return refused
        found = found.__cause__
    match = _IN_TEXT.search(str(error)) if isinstance(error, RuntimeError) else None
    kinds = {kind.__name__: kind for kind in (ConfigError, DataError, GateError, ServingError, MachineError)}
    return kinds.get(match[1], JanusError)(match[2]) if match else None


def machine_error(error: BaseException, path: str | os.PathLike[str] | None = None) -> MachineError | None:
    """What the machine refused, with path, cause and remedy; None where an error has another cause.

    Args:
        error: of Python, Arrow, TensorFlow, SQLite or ML Metadata, or what Beam made of one.
        path: the file that was read or written, where the error does not name it.
    """
    if isinstance(error, MachineError):
        return error
    if isinstance(error, MemoryError):
        # Of Arrow too: its ArrowMemoryError is both.
        refusal: tuple[str, str] | None = _MEMORY
    elif isinstance(error, OSError) and error.errno in _REFUSALS:
        refusal = _REFUSALS[error.errno]
    elif isinstance(error, _OF_CODE) or not isinstance(error, Exception):
        return None
    else:
        refusal = next((refusal for pattern, refusal in _TEXTS if pattern.search(str(error))), None)
    if refusal is None:
        return None
    what, remedy = refusal
    named = path or _filename(error) or (None if refusal is _MEMORY else _path_in(str(error)))
    return MachineError(f"{named}: {what}: {remedy}" if named else f"{what}: {remedy}")


def _filename(error: BaseException) -> str | None:
    named = getattr(error, "filename", None)
    return os.fsdecode(named) if isinstance(named, (str, bytes, os.PathLike)) else None


def _path_in(text: str) -> str | None:
    """The last path that a message names: before it, there may be a traceback's."""
    found = list(_PATH.finditer(text.strip().rpartition("\n")[2]))
    return (found[-1][1] or found[-1][2]) if found else None


# --- how a failure is reported -------------------------------------------------------------------------------------


def readable(error: BaseException) -> str:
    """An expected error's message, several problems on a line each; another's type and first line."""
    error = expected(error) or error
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
    known = expected(error)
    return known.exit_code if known else 1
