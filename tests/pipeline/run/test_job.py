"""How a run ends: exit code, report, words; the pipeline itself is replaced."""

import errno
import json
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from janus_core.errors import DataError, JanusError
from janus_core.progress import ComponentEvent, ModelPushed, announce
from pipeline.home import Home
from pipeline.report.outcome import judge
from pipeline.report.report_json import RunReport
from pipeline.run import interruption, job
from pipeline.run.display import Display
from tests.pipeline.small import small_config


@pytest.fixture
def end(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Carries out a run whose pipeline does what `act` does, and whose artifacts say what `outcome` has.

    Returns the exit code and the report.
    """

    def carry_out(act: Callable[[], None], outcome: dict[str, Any] | None = None, **changed: Any) -> tuple[int, dict]:
        def run_pipeline(run: Any, display: Display) -> None:
            act()

        def add_outcome(report: RunReport, config: Any, executions: Any) -> None:
            for key, value in (outcome or {}).items():
                setattr(report, key, value)
            judge(report)

        monkeypatch.setattr(job, "_run_pipeline", run_pipeline)
        monkeypatch.setattr("pipeline.report.outcome.add_outcome", add_outcome)
        code = job.run_job(small_config(folder, **changed))
        return code, json.loads((Home("small").latest / "report.json").read_text())

    return carry_out


def complete(*names: str) -> None:
    for name in names:
        announce(ComponentEvent(name, "running"))
        announce(ComponentEvent(name, "complete", 1.5))


def fail(error: BaseException) -> None:
    complete("ExampleGen")
    announce(ComponentEvent("Transform", "running"))
    announce(ComponentEvent("Transform", "failed", 2.0, error=error))
    raise RuntimeError(f"{error} [while running 'Run[Transform]']")


def test_a_model_that_fails_its_serving_check_has_an_exit_code_of_its_own(end: Any, capfd: Any) -> None:
    check = {"passed": False, "problems": ["too slow"]}
    outcome = {"blessed": True, "serving_check": check, "problems": ["serving check: too slow"]}
    code, report = end(lambda: complete("ServingCheck", "Pusher"), outcome)
    assert (code, report["exit_code"], report["pushed"]) == (5, 5, None)
    assert report["serving_check"] == check
    assert "not pushed: serving check: too slow" in capfd.readouterr().out


def test_a_pushed_model_is_success(end: Any, capfd: pytest.CaptureFixture[str]) -> None:
    outcome = {"examples": {"train": 160, "eval": 40}, "blessed": True, "pushed": "serving/17"}
    code, report = end(lambda: complete("ExampleGen", "Pusher"), outcome)
    assert code == 0
    assert report["exit_code"] == 0
    assert report["pushed"] == "serving/17"
    assert report["examples"] == {"train": 160, "eval": 40}
    assert report["components"]["Pusher"] == {"seconds": 1.5, "cached": False, "state": "complete"}
    assert report["peak_memory_mb"] > 10
    assert "pushed to serving/17" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "root/x"), "root/x: no space is left on the disk"),
        (RuntimeError("PermissionError: [Errno 13] Permission denied: '/r/x' [while running 'W']"), "/r/x: permission"),
        (MemoryError(), "there is not enough memory"),
    ],
)
def test_what_the_machine_refuses_is_expected(
    end: Any, error: Exception, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, report = end(lambda: fail(error))
    assert (code, report["exit_code"]) == (2, 2)
    assert report["problems"][0].startswith(f"Transform: {words}")
    assert "not expected" not in capfd.readouterr().err


def test_a_push_stays_a_success_where_the_disk_is_full_after_it(
    end: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    end(complete, {"blessed": True, "pushed": "serving/17"})
    last = Home("small").latest.readlink()
    monkeypatch.setattr("janus_core.files.Path.write_text", full_disk)
    monkeypatch.setattr("pipeline.run.job.write_config", lambda *_: None)
    assert job.run_job(small_config(folder)) == 0
    assert Home("small").latest.readlink() != last
    printed = capfd.readouterr()
    assert "pushed to serving/17" in printed.out
    for name in ("report.json", "report.html"):
        assert f"{name} cannot be written: " in printed.err
    assert "no space is left on the disk" in printed.err
    assert "`janus report CONFIG --rebuild` writes it" in printed.err


def full_disk(path: Path, *_: Any, **__: Any) -> int:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{", b""])
def test_a_damaged_report_of_the_run_before_changes_nothing(
    end: Any, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    pushed = {"blessed": True, "pushed": "serving/17", "history": [{"val_balanced_loss": 0.5}]}
    monkeypatch.setattr("pipeline.report.training_plots.draw_training", lambda *_: None)
    end(complete, pushed)
    before = Home("small").latest.resolve()
    for name in ("report.json", "analysis.json"):
        (before / name).write_bytes(content)
    (Home("small").folder / ".plots.json").write_bytes(content)
    code, report = end(complete, pushed)
    assert (code, report["pushed"], report["warnings"]) == (0, "serving/17", [])


def test_what_fails_after_the_version_appeared_is_a_warning(end: Any, capfd: pytest.CaptureFixture[str]) -> None:
    def push() -> None:
        announce(ComponentEvent("Pusher", "running"))
        announce(ModelPushed("serving/17"))
        error = OSError(errno.ENOSPC, "No space left on device", "root/Pusher")
        announce(ComponentEvent("Pusher", "failed", 1.0, error=error))
        raise RuntimeError("[while running 'Run[Pusher]']")

    code, report = end(push)
    assert (code, report["exit_code"], report["pushed"], report["problems"]) == (0, 0, "serving/17", [])
    (warning,) = report["warnings"]
    assert warning.startswith("Pusher: root/Pusher: no space is left on the disk")
    assert "the model is pushed" in warning
    assert "pushed to serving/17" in capfd.readouterr().out


def test_events_are_all_that_a_machine_reads(
    folder: Path, end: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "run_job", partial(job.run_job, as_json=True))
    end(lambda: complete("ExampleGen", "Pusher"), {"blessed": True, "pushed": "serving/17"})
    printed = capfd.readouterr()
    events = [json.loads(line) for line in printed.out.splitlines()]
    assert printed.err == ""
    assert events[0]["event"] == "run_started"
    assert [(e["component"], e["state"]) for e in events if e["event"] == "component"] == [
        ("ExampleGen", "running"),
        ("ExampleGen", "complete"),
        ("Pusher", "running"),
        ("Pusher", "complete"),
    ]
    assert events[-1]["event"] == "run_ended"
    assert (events[-1]["exit_code"], events[-1]["pushed"]) == (0, "serving/17")
    assert json.loads((folder / events[-1]["report"]).read_text())["run_id"] == events[0]["run_id"]


def test_a_failure_is_an_event_as_well(
    end: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(job, "run_job", partial(job.run_job, as_json=True))
    end(lambda: fail(DataError("two things", ["one", "two"])))
    printed = capfd.readouterr()
    last = json.loads(printed.out.splitlines()[-1])
    assert (last["event"], last["exit_code"]) == ("run_ended", 3)
    assert last["problems"] == ["Transform: one", "Transform: two"]
    assert "2 problems with the data" in printed.err


def test_a_failed_gate_is_4(end: Any, capfd: pytest.CaptureFixture[str]) -> None:
    code, report = end(lambda: complete("Pusher"), {"problems": ["task delay: mae 9 is above max 5"]})
    assert code == 4
    assert report["exit_code"] == 4
    assert report["problems"] == ["task delay: mae 9 is above max 5"]
    assert report["pushed"] is None
    assert "not pushed: task delay: mae 9 is above max 5" in capfd.readouterr().out


def test_rejected_data_are_3(end: Any, capfd: pytest.CaptureFixture[str]) -> None:
    code, report = end(lambda: fail(DataError("two things", ["one", "two"])))
    assert code == 3
    assert report["problems"] == ["Transform: one", "Transform: two"]
    assert report["components"]["Transform"]["state"] == "failed"
    assert report["components"]["ExampleGen"]["state"] == "complete"
    error = capfd.readouterr().err
    assert error == "error: Transform: 2 problems with the data:\n  one\n  two\n"


def test_what_nobody_expected_is_1_with_its_traceback_in_the_log(end: Any, capfd: pytest.CaptureFixture[str]) -> None:
    code, report = end(lambda: fail(ZeroDivisionError("by zero\nand more")))
    assert code == 1
    assert report["problems"] == ["Transform: ZeroDivisionError: by zero\nand more"]
    error = capfd.readouterr().err
    assert error.startswith("error: Transform: ZeroDivisionError: by zero\n")
    assert "Traceback" not in error
    assert "ZeroDivisionError" in (Home("small").latest / "run.log").read_text()


def test_what_preflight_finds_is_reported_as_well(end: Any, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    code, report = end(complete, data={"path": str(folder / "nowhere")})
    assert code == 3
    assert report["components"] == {}
    assert report["problems"]
    assert "nowhere" in capfd.readouterr().err


def test_ctrl_c_is_130_whatever_the_libraries_make_of_it(end: Any, capfd: pytest.CaptureFixture[str]) -> None:
    def press() -> None:
        announce(ComponentEvent("Trainer", "running"))
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt as error:
            announce(ComponentEvent("Trainer", "interrupted", 1.0))
            raise RuntimeError("KeyboardInterrupt [while running 'Run[Trainer]']") from error

    code, report = end(press)
    assert code == 130
    assert report["exit_code"] == 130
    assert report["problems"] == ["interrupted in Trainer"]
    assert report["components"]["Trainer"]["state"] == "failed"
    assert capfd.readouterr().err == ("interrupted in Trainer; the next run continues from here\n")


def test_there_is_a_report_even_if_what_was_interrupted_does_not_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a child process, because it is ended."""

    def stuck(run: Any, display: Display) -> None:
        announce(ComponentEvent("Trainer", "running"))
        os.chdir("/")
        signal.raise_signal(signal.SIGINT)

    def swallow(run: Any, display: Display) -> None:
        try:
            stuck(run, display)
        except KeyboardInterrupt:
            signal.pause()

    monkeypatch.setattr(job, "_run_pipeline", swallow)
    monkeypatch.setattr(interruption, "GRACE_SECONDS", 0.2)
    child = os.fork()
    if child == 0:
        try:
            job.run_job(small_config(folder))
        finally:
            os._exit(99)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    report = json.loads((Home("small").latest / "report.json").read_text())
    assert report["exit_code"] == 130
    assert report["problems"] == ["interrupted in Trainer"]


def test_two_runs_at_once_are_one_too_many(end: Any) -> None:
    home = Home("small")
    home.create()
    with home.lock(), pytest.raises(JanusError, match=f"process {os.getpid()}"):
        end(complete)
    assert not home.latest.exists()


def test_a_failure_in_another_folder_is_reported_in_its_own(end: Any, folder: Path) -> None:
    def leave() -> None:
        os.chdir("/")
        fail(ValueError("far away"))

    assert end(leave)[0] == 1
    assert Path.cwd() == folder
