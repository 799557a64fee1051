"""How commands report failures: exit code, message, and a traceback only where it was asked for."""

import errno

import pytest
import typer
from typer.testing import CliRunner

from janus_core.errors import DataError
from pipeline.commands.common import Verbose, command


def outcome(error: BaseException) -> tuple[int, str]:
    @command
    def fail(verbose: Verbose = False) -> int:
        raise error

    app = typer.Typer()
    app.command()(fail)
    result = CliRunner().invoke(app, [])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DataError("no table"), 3, "error: no table"),
        (PermissionError(errno.EACCES, "Permission denied", "a/b"), 2, "error: a/b: permission denied"),
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), 2, "error: a/b: no space is left on the disk"),
        (MemoryError(), 2, "error: there is not enough memory"),
    ],
)
def test_an_expected_failure_has_its_exit_code_and_no_more_words(error: Exception, code: int, words: str) -> None:
    got, printed = outcome(error)
    assert got == code
    assert words in printed
    assert "not expected" not in printed


def test_any_other_failure_is_reported_as_unexpected() -> None:
    code, printed = outcome(ZeroDivisionError("division by zero"))
    assert code == 1
    assert "error: ZeroDivisionError: division by zero" in printed
    assert "This was not expected" in printed
