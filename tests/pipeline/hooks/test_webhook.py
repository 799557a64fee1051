"""What a webhook sends, to a server of the test's own."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import portpicker
import pytest

from janus_core.errors import ConfigError
from pipeline.config.file import parse_config
from pipeline.config.hooks import WebhookConfig
from pipeline.hooks.run import outcome_of, run_hooks
from pipeline.report.report_json import ComponentReport, RunReport, new_report
from pipeline.run.job import run_job
from tests.pipeline.small import small_config, small_raw


class Server(ThreadingHTTPServer):
    """Keeps what it is sent, and answers with the next of `statuses`, or 200."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.statuses: list[int] = []
        self.received: list[tuple[str, dict[str, str], dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/secret/path"


class _Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.received.append((self.path, dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def report(**changed: Any) -> RunReport:
    made = new_report("orders", "2026-12-01T12-00-00")
    made.components = {"Pusher": ComponentReport(seconds=1.0, cached=False, state="complete")}
    made.tasks = {
        "bought": {
            "kind": "binary",
            "metrics": {"auc": 0.81234, "ece": 0.02},
            "gates": [{"metric": "auc", "rule": "min", "limit": 0.8, "value": 0.81234, "passed": True}],
            "slices": {"country": {}},
        }
    }
    made.pushed = "models/orders/3"
    return made.model_copy(update=changed)


def hook(url: str | None = None, **changed: Any) -> WebhookConfig:
    return WebhookConfig(kind="webhook", url=url, **changed)


def test_a_run_that_pushed_is_sent_with_metrics_and_gates(server: Server) -> None:
    place = "runs/orders/r/report.json"
    assert run_hooks([hook(server.url, token_variable="TOKEN")], report(), place, {"TOKEN": "t0ken"}) == []
    ((path, headers, body),) = server.received
    assert path == "/secret/path"
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["Content-Type"] == "application/json"
    assert body["event"] == "run_ended"
    assert (body["outcome"], body["pushed"], body["exit_code"]) == ("pushed", "models/orders/3", 0)
    assert body["tasks"] == {"bought": {key: report().tasks["bought"][key] for key in ("metrics", "gates")}}
    assert body["text"] == "orders: pushed models/orders/3 (bought auc 0.8123)"
    assert body["report"] == place


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({}, "pushed"),
        ({"pushed": None}, "unchanged"),
        ({"components": {"Pusher": ComponentReport(seconds=0.0, cached=True, state="complete")}}, "unchanged"),
        ({"exit_code": 4}, "blocked"),
        ({"exit_code": 5}, "blocked"),
        ({"exit_code": 3}, "failed"),
    ],
)
def test_only_the_outcomes_that_are_named_are_sent(server: Server, changed: dict[str, Any], outcome: str) -> None:
    ended = report(problems=["task bought: auc 0.7 is below 0.8"], **changed)
    assert outcome_of(ended) == outcome
    others = [one for one in ("pushed", "unchanged", "blocked", "failed") if one != outcome]
    assert run_hooks([hook(server.url, on=others), hook(server.url, on=[outcome])], ended, "r", {}) == []
    assert [body["outcome"] for _, _, body in server.received] == [outcome]


def test_an_interrupted_run_sends_nothing(server: Server) -> None:
    assert run_hooks([hook(server.url)], report(exit_code=130), "r", {}) == []
    assert server.received == []


@pytest.mark.slow
def test_a_temporary_error_is_tried_again(server: Server) -> None:
    server.statuses = [503, 429]
    assert run_hooks([hook(server.url)], report(), "r", {}) == []
    assert len(server.received) == 3


def test_a_server_that_stays_busy_or_silent_is_a_warning(server: Server) -> None:
    server.statuses = [503, 503]
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        found = run_hooks([hook(server.url, retries=1), hook(url, retries=0, timeout_seconds=0.2)], report(), "r", {})
    reasons = [warning.partition("cannot be reached: ")[2].partition(";")[0] for warning in found]
    assert reasons == ["too many 503 error responses", "no answer in 0.2 s"]


def test_what_fails_is_a_warning_that_names_no_secret(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    server.statuses = [404]
    closed = f"http://127.0.0.1:{portpicker.pick_unused_port()}/secret/path"
    hooks = [
        hook(server.url),
        hook(url_variable="SLACK", retries=1),
        hook(closed, retries=0),
        hook(url_variable="NONE"),
        hook(server.url),
    ]
    found = run_hooks(hooks, report(), "r", {"SLACK": closed})
    host = closed.split("/")[2]
    assert found == [
        f"hooks.0 (webhook): 127.0.0.1:{server.server_port} answered with HTTP 404; the run is not affected",
        "hooks.1 (webhook): $SLACK cannot be reached: Connection refused; the run is not affected",
        f"hooks.2 (webhook): {host} cannot be reached: Connection refused; the run is not affected",
        "hooks.3 (webhook): the environment variable NONE is not set; the run is not affected",
    ]
    assert len(server.received) == 2, "the last one was sent"
    assert "secret/path" not in caplog.text


def test_a_run_that_fails_is_sent_and_keeps_its_exit_code(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    closed = f"http://127.0.0.1:{portpicker.pick_unused_port()}"
    hooks = [{"kind": "webhook", "url": server.url}, {"kind": "webhook", "url": closed, "retries": 0}]
    config = small_config(tmp_path, data={"path": "none.csv"}, hooks=hooks)
    code = run_job(config)
    assert code == json.loads(Path("runs/small/latest/report.json").read_text())["exit_code"] != 0
    ((_, _, body),) = server.received
    assert (body["outcome"], body["exit_code"]) == ("failed", code)
    assert "none.csv" in body["text"]
    assert Path(body["report"]).exists()
    assert "warning: hooks.1 (webhook): " in capfd.readouterr().err


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "give one of url and url_variable"),
        ({"url": "https://a.example", "url_variable": "A"}, "give one of url and url_variable"),
        ({"url": "a.example/x"}, "url: 'a.example/x' is no address"),
        ({"url": "https://a.example", "on": []}, "hooks.0"),
        ({"url": "https://a.example", "on": ["push"]}, "'pushed'"),
        ({"url": "https://me:hunter2@a.example/x"}, "by url_variable or token_variable"),
        ({"url": "https://a.example/x?token=hunter2"}, "by url_variable or token_variable"),
    ],
)
def test_a_hook_that_cannot_work_is_refused(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_config(small_raw(tmp_path, hooks=[{"kind": "webhook", **given}]))
    assert words in str(error.value)
    assert "hunter2" not in str(error.value)
