"""docs/serving.md's commands, and a server that goes on while versions are pushed and rolled back."""

import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from janus_core.packages import PACKAGES
from serving.client import RequestError, connect
from tests.project import SOURCES, copy_sources

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(900)]

DOCS = (SOURCES / "docs/serving.md").read_text(encoding="utf-8")
SETTINGS = (
    "training.epochs=1",
    "evaluation.gates={status: {auc: {min: 0.5}}, arr_delay: {mae: {max: 60.0}}}",
)


@dataclass(frozen=True)
class Served:
    """A project whose pushed model is served."""

    folder: Path
    rest: str
    grpc: str

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)

    def janus(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run([sys.executable, "-m", "pipeline", *arguments])

    def here(self, text: str) -> str:
        """A command of the docs, with this server's addresses."""
        return text.replace("http://localhost:8501", self.rest).replace("localhost:8500", self.grpc)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("served")
    copy_sources(folder, *PACKAGES, "configs", "schema")
    flights = ["configs/flights.py", "--rows", "2000", "--output", "data/flights"]
    subprocess.run([sys.executable, *flights], cwd=folder, capture_output=True, check=True)
    project = Served(folder, "", "")
    done = project.janus("run", "configs/flights.yaml", *_settings())
    assert done.returncode == 0, done.stdout + done.stderr
    command = ["serve", "configs/flights.yaml", "--local", "--rest-port", "0", "--grpc-port", "0"]
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "pipeline", *command], cwd=folder, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        try:
            addresses = next(
                found for line in server.stdout if (found := re.search(r"REST at (\S+), gRPC at (\S+) ", line))
            )
            one = Served(folder, addresses[1], addresses[2])
            _wait_for(one, 1)
            yield one
        finally:
            server.terminate()
            assert server.wait(60) == 0


def _settings(*more: str) -> list[str]:
    return [part for setting in (*SETTINGS, *more) for part in ("--set", setting)]


def _version(served: Served) -> int:
    """The version that is served; 0 where there is none yet."""
    answer = httpx.get(f"{served.rest}/v1/models/flights").json()
    states = answer.get("model_version_status", [])
    return max((int(found["version"]) for found in states if found["state"] == "AVAILABLE"), default=0)


def _wait_for(served: Served, version: int) -> None:
    end = time.monotonic() + 120
    while _version(served) < version:
        assert time.monotonic() < end, f"version {version} is not served"
        time.sleep(0.2)


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)


def _commands(program: str) -> list[str]:
    shown = [command for block in _blocks("sh") for command in re.split(r"(?m)^(?=\S)", block) if command]
    return [command for command in shown if command.startswith(program)]


def test_the_docs_curl_lines_are_answered(served: Served) -> None:
    answers = []
    for command in _commands("curl"):
        done = served.run(["bash", "-c", served.here(command)])
        assert done.returncode == 0, done.stderr
        answers.append(json.loads(done.stdout))
    status, metadata, predicted, classified = answers
    assert status["model_version_status"][0]["state"] == "AVAILABLE"
    assert "serving_columns" in metadata["metadata"]["signature_def"]["signature_def"]
    (row,) = predicted["predictions"]
    assert sum(row["status"]) == pytest.approx(1, abs=1e-5)
    assert row["status/classes"] == ["on_time", "delayed", "cancelled"]
    assert abs(row["arr_delay"][0]) < 500
    assert [label for label, _ in classified["results"][0]] == ["on_time", "delayed", "cancelled"]


def test_the_docs_python_answers(served: Served) -> None:
    (code,) = _blocks("python")
    done = served.run([sys.executable, "-c", served.here(code)])
    assert done.returncode == 0, done.stderr
    assert "on_time" in done.stdout


@pytest.mark.needs("node")
def test_the_docs_javascript_answers(served: Served) -> None:
    (code,) = _blocks("javascript")
    done = served.run(["node", "--input-type=module", "--eval", served.here(code)])
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("200 ")
    assert '"arr_delay": [' in done.stdout


def test_the_docs_janus_lines_work(served: Served) -> None:
    commands = _commands("janus")
    assert len(commands) == 3
    for command in commands:
        done = served.run(["bash", "-c", served.here(command).replace("janus ", f"{sys.executable} -m pipeline ", 1)])
        assert done.returncode == 0, done.stderr
    assert (served.folder / "predicted.parquet").exists()
    assert (served.folder / "grpc.csv").read_text().startswith('"status","status.on_time"')


def test_a_model_that_fails_its_serving_check_is_not_pushed(served: Served) -> None:
    before = served.janus("versions", "configs/flights.yaml", "--json").stdout
    done = served.janus("run", "configs/flights.yaml", *_settings("serving.latency.batch_1_p50_ms=0.0001"))
    assert done.returncode == 5, done.stdout + done.stderr
    assert "not pushed: serving check: " in done.stdout
    assert "(serving.latency.batch_1_p50_ms: 0.0001)" in done.stdout
    report = json.loads((served.folder / "runs/flights/latest/report.json").read_text())
    assert (report["exit_code"], report["pushed"], report["blessed"]) == (5, None, True)
    assert not report["serving_check"]["passed"]
    assert served.janus("versions", "configs/flights.yaml", "--json").stdout == before


def test_no_request_fails_while_a_version_is_pushed_and_rolled_back(served: Served) -> None:
    row = json.loads(re.search(r"\[(\{.*?\})\]\}'", _commands("curl")[2], re.DOTALL)[1])  # type: ignore[index]
    first, failures, answers, ended = _version(served), [], set(), threading.Event()

    def ask(url: str) -> None:
        with connect(url, "flights", retries=0, deadline_seconds=60.0) as client:
            while not ended.is_set():
                try:
                    answers.add(round(float(client.predict_rows([row])["arr_delay"][0, 0]), 4))
                except RequestError as error:
                    failures.append(error)

    askers = [threading.Thread(target=ask, args=(url,)) for url in (served.rest, f"grpc://{served.grpc}")]
    for asker in askers:
        asker.start()
    try:
        done = served.janus("run", "configs/flights.yaml", *_settings("seed=5"))
        assert done.returncode == 0, done.stdout + done.stderr
        second = int(done.stdout.partition("pushed to models/flights/")[2].split()[0])
        _wait_for(served, second)
        time.sleep(1)
        done = served.janus("rollback", "configs/flights.yaml", "--reason", "a test")
        assert done.returncode == 0, done.stderr
        assert f"rolled back from {second} to {first}" in done.stdout
        _wait_for(served, second + 1)
        time.sleep(1)
    finally:
        ended.set()
        for asker in askers:
            asker.join()
    assert failures == []
    assert len(answers) == 2, "of the first model, which comes back, and the second"
    listed = json.loads(served.janus("versions", "configs/flights.yaml", "--json").stdout)
    states = {found["version"]: found for found in listed["versions"]}
    assert len(states) == 3
    again = served.janus("run", "configs/flights.yaml", *_settings("seed=5"))
    assert again.returncode == 0, again.stderr
    assert "withdrawn by a rollback" in again.stdout
    assert _version(served) == max(states)
