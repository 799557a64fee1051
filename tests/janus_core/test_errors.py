"""Expected failures that other code raises: what the machine refused, with path, cause, remedy and exit code."""

import errno
import os
import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from janus_core.errors import (
    ConfigError,
    DataError,
    MachineError,
    exit_code_of,
    expected,
    machine_error,
    readable,
)
from janus_core.files import as_text, write_text


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "data/t.csv"), ["data/t.csv: permission denied", "ls -ld"]),
        (PermissionError(errno.EPERM, "Operation not permitted", b"x"), ["x: permission denied"]),
        (OSError(errno.ENOSPC, "No space left on device", "models/1"), ["models/1: no space is left", "df -h"]),
        (OSError(errno.ENOSPC, "No space left on device"), ["no space is left on the disk"]),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "m"), ["m: the disk quota is used up"]),
        (OSError(errno.EROFS, "Read-only file system", "runs"), ["runs: the file system is read-only"]),
        (OSError(errno.EMFILE, "Too many open files", "a"), ["too many files are open", "ulimit -n"]),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a" * 300), ["the path is too long"]),
        (OSError(errno.EIO, "Input/output error", "a"), ["the disk, or the connection to it, fails"]),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), ["not enough memory", "training.batch_size"]),
        (MemoryError(), ["not enough memory"]),
        (pa.ArrowMemoryError("malloc of size 1099511627776 failed"), ["not enough memory"]),
        (sqlite3.OperationalError("database or disk is full"), ["no space is left on the disk"]),
        (RuntimeError("Error when executing query: disk I/O error query: COMMIT;"), ["does not let a file grow"]),
        (
            RuntimeError("OSError: [Errno 28] No space left on device: '/r/x' [while running 'Write']"),
            ["/r/x: no space is left on the disk"],
        ),
        (
            RuntimeError("Traceback …\n  File '/a/b.py'\nnumpy.core._exceptions._ArrayMemoryError: x\nMemoryError: 1"),
            ["there is not enough memory: end"],
        ),
    ],
)
def test_what_the_machine_refuses_has_a_path_a_cause_and_a_remedy(error: Exception, words: list[str]) -> None:
    known = machine_error(error)
    assert isinstance(known, MachineError)
    assert all(word in readable(error) for word in words)
    assert exit_code_of(error) == 2


@pytest.mark.parametrize(
    "error",
    [
        ValueError("Permission denied, says a cell"),
        KeyError("No space left on device"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "x"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        RuntimeError("a bug"),
    ],
)
def test_other_errors_stay_unexpected(error: Exception) -> None:
    assert expected(error) is None
    assert exit_code_of(error) == 1
    assert readable(error).startswith(type(error).__name__)


def test_an_expected_failure_is_seen_as_the_cause_and_in_the_text_of_a_beam_worker() -> None:
    wrapped = RuntimeError("wrapped")
    wrapped.__cause__ = DataError("two", ["a", "b"])
    assert readable(wrapped) == "2 problems with the data:\n  a\n  b"
    text = "Traceback …\njanus_core.errors.DataError: t.csv: bad [while running 'Read-ptransform-1']"
    assert (readable(RuntimeError(text)), exit_code_of(RuntimeError(text))) == ("t.csv: bad", 3)


def test_a_write_to_a_full_disk_names_the_file(tmp_path: Path) -> None:
    """Every write to /dev/full fails with ENOSPC, as to a full disk."""
    (tmp_path / "report.json").write_text("old")

    def full(_path: Path, _text: str, encoding: str | None = None) -> int:
        with Path("/dev/full").open("w", buffering=1) as file:
            return file.write("x\n" * 10_000)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)) as caught:
            write_text(tmp_path / "report.json", "new")
    assert readable(caught.value).startswith(f"{tmp_path}/report.json: no space is left on the disk")
    assert (tmp_path / "report.json").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_text_that_is_not_utf_8_is_a_mistake_in_a_named_file() -> None:
    assert as_text("ü".encode(), "labels.json") == "ü"
    with pytest.raises(ConfigError, match=r"labels.json is not UTF-8 \(byte 0xff at 1\)"):
        as_text(b"{\xff", "labels.json")
