"""Docker or the development server, and the command for Docker."""

import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline import serve_job
from pipeline.serve_job import ServeOptions, docker_command, parse_labels, run_serve_job, run_until_signal
from serving.server import run as server_run
from serving.server.run import AddressError, ServerOptions
from tests.pipeline.small import small_config
from trainer.errors import ConfigError, JanusError


def docker(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Puts a `docker` that is this shell script before all others."""
    path = folder / "bin" / "docker"
    path.parent.mkdir()
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[ServerOptions]:
    """What the development server was started with."""
    found: list[ServerOptions] = []
    monkeypatch.setattr(server_run, "serve", found.append)
    return found


def test_the_docker_command() -> None:
    command = docker_command("flights", Path("/data/serving/flights"), "2.19.0", "127.0.0.1", 8501, 8500)
    assert " ".join(command) == (
        "docker run --rm --init -p 127.0.0.1:8501:8501 -p 127.0.0.1:8500:8500 "
        "-v /data/serving/flights:/models/flights:ro -e MODEL_NAME=flights tensorflow/serving:2.19.0"
    )
    assert "[::1]:1:8501" in docker_command("flights", Path("/data"), "latest", "::1", 1, 2)


def test_docker_is_used_where_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: list[ServerOptions]
) -> None:
    docker(tmp_path, monkeypatch, f'[ "$1" = info ] || echo "$@" > {tmp_path}/called')
    options = ServeOptions(rest_port=1234, grpc_port=0)
    assert run_serve_job(small_config(tmp_path, serving={"image_tag": "2.19.0"}), options) == 0
    words = (tmp_path / "called").read_text(encoding="utf-8").split()
    assert words[0] == "run"
    assert words[-1] == "tensorflow/serving:2.19.0"
    assert "127.0.0.1:1234:8501" in words
    assert f"{tmp_path}/serving:/models/small:ro" in words
    assert "127.0.0.1:0:8500" not in words
    assert served == []


def test_docker_that_fails_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docker(tmp_path, monkeypatch, '[ "$1" = info ] || exit 125')
    with pytest.raises(JanusError, match="ended with 125; --local serves without Docker"):
        run_serve_job(small_config(tmp_path), ServeOptions())


@pytest.mark.parametrize(
    ("script", "options", "reason"),
    [
        ("exit 1", ServeOptions(), "no Docker here"),
        ("sleep 60", ServeOptions(), "no Docker here"),
        ("exit 0", ServeOptions(local=True), "--local"),
        ("exit 0", ServeOptions(labels=("stable=3",)), "--labels and --log-requests are not for Docker"),
        ("exit 0", ServeOptions(log_requests=Path("log")), "--labels and --log-requests are not for Docker"),
    ],
)
def test_else_the_development_server(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    served: list[ServerOptions],
    capsys: pytest.CaptureFixture[str],
    script: str,
    options: ServeOptions,
    reason: str,
) -> None:
    docker(tmp_path, monkeypatch, script)
    monkeypatch.setattr(serve_job, "DOCKER_SECONDS", 0.5)
    assert run_serve_job(small_config(tmp_path, seed=7), options) == 0
    (found,) = served
    assert (found.name, found.base_path, found.host, found.seed) == ("small", tmp_path / "serving", "127.0.0.1", 7)
    assert (found.labels, found.request_log) == (parse_labels(options.labels), options.log_requests)
    assert capsys.readouterr().out.startswith(reason)


def test_an_address_that_is_taken_is_a_matter_of_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(options: ServerOptions) -> None:
        raise AddressError("--rest-port: in use")

    monkeypatch.setattr(server_run, "serve", refuse)
    with pytest.raises(ConfigError, match="--rest-port: in use"):
        run_serve_job(small_config(tmp_path), ServeOptions(local=True))


def test_labels() -> None:
    assert parse_labels(("stable=3", "canary=12")) == {"stable": 3, "canary": 12}


@pytest.mark.parametrize("given", [("stable",), ("=3",), ("stable=new",), ("a/b=3",), ("a=-1",), ("a=1", "a=2")])
def test_wrong_labels(given: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="--labels"):
        parse_labels(given)


@pytest.mark.parametrize("sampling", [0.0, -0.1, 1.5, float("nan")])
def test_a_wrong_share(tmp_path: Path, sampling: float) -> None:
    with pytest.raises(ConfigError, match="--sampling"):
        run_serve_job(small_config(tmp_path), ServeOptions(local=True, sampling=sampling))


def test_a_signal_is_handed_on(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    script = f"import pathlib, time; pathlib.Path({str(ready)!r}).touch(); time.sleep(60)"

    def end() -> None:
        while not ready.exists():
            stopped.wait(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    stopped = threading.Event()
    thread = threading.Thread(target=end)
    thread.start()
    assert run_until_signal([sys.executable, "-c", script]) == 0
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_no_tensorflow_is_loaded_for_docker() -> None:
    code = "import sys, pipeline.serve_job; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
