"""Docker or the development server, and the command for Docker."""

import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from importlib.metadata import version as installed_version
from pathlib import Path

import pytest

from janus_core.errors import ConfigError, JanusError
from pipeline.commands.serve import job as serve_job
from pipeline.commands.serve.job import docker_command, parse_labels, run_serve_job, run_until_signal
from pipeline.commands.serve.options import ServeOptions
from serving.deployment.server import serving_release
from serving.server import run as server_run
from serving.server.addresses import AddressError
from serving.server.run import ServerOptions
from tests.pipeline.small import small_config
from tests.serving.deployment.rendered import flags
from tests.serving.deployment.test_server import DECLARED


def program(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str, name: str = "docker") -> None:
    """Puts a program that is this shell script before all others of its name."""
    path = folder / "bin" / name
    path.parent.mkdir(exist_ok=True)
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
    """With --init, as process 1 gets no signal without a handler; without the image's entry point, a shell script that
    does not `exec` the server (tools/docker/Dockerfile of all releases)."""
    image = "tensorflow/serving:2.19.1"
    command = docker_command("flights", "/data/models/flights", image, "127.0.0.1", 8511, 8510)
    assert " ".join(command) == (
        "docker run --rm --init --entrypoint /usr/bin/tensorflow_model_server "
        "-p 127.0.0.1:8511:8501 -p 127.0.0.1:8510:8500 -v /data/models/flights:/models/flights:ro "
        "tensorflow/serving:2.19.1 --port=8500 --rest_api_port=8501 --model_name=flights "
        "--model_base_path=/models/flights --num_load_threads=2 --load_retry_interval_micros=10000000"
    )
    assert "[::1]:1:8501" in docker_command("flights", "/data", image, "::1", 1, 2)
    remote = docker_command("flights", "gs://bucket/flights", image, "::1", 1, 2)
    assert "-v" not in remote
    assert "--model_base_path=gs://bucket/flights" in remote


@pytest.mark.parametrize(
    ("serving", "image"),
    [
        ({"image_tag": "2.19.0"}, "tensorflow/serving:2.19.0"),
        ({"deployment": {"image": "ours", "tag": "sha256:" + "a" * 64}}, "ours@sha256:" + "a" * 64),
        ({}, f"tensorflow/serving:{serving_release(installed_version('tensorflow'))}"),
    ],
)
def test_docker_is_used_where_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, served: list[ServerOptions], serving: dict, image: str
) -> None:
    program(tmp_path, monkeypatch, f'[ "$1" = info ] || echo "$@" > {tmp_path}/called')
    options = ServeOptions(rest_port=1234, grpc_port=0)
    assert run_serve_job(small_config(tmp_path, serving=serving), options) == 0
    words = (tmp_path / "called").read_text(encoding="utf-8").split()
    assert words[0] == "run"
    assert image in words
    assert "127.0.0.1:1234:8501" in words
    assert f"{tmp_path}/serving:/models/small:ro" in words
    assert "127.0.0.1:0:8500" not in words
    assert served == []


def test_a_doubtful_image_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program(tmp_path, monkeypatch, "exit 0")
    run_serve_job(small_config(tmp_path, serving={"image_tag": "2.22.0"}), ServeOptions(rest_port=0, grpc_port=0))
    assert capsys.readouterr().err.startswith("warning: no release 2.22.0 of TensorFlow Serving is known here")


def test_an_installed_server_is_preferred(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    served: list[ServerOptions],
    capsys: pytest.CaptureFixture[str],
) -> None:
    program(tmp_path, monkeypatch, f"touch {tmp_path}/docker_was_asked")
    program(tmp_path, monkeypatch, f'echo "$@" > {tmp_path}/called', "tensorflow_model_server")
    assert run_serve_job(small_config(tmp_path), ServeOptions(rest_port=0, grpc_port=0)) == 0
    given = flags((tmp_path / "called").read_text(encoding="utf-8").split())
    assert (given["model_name"], given["model_base_path"]) == ("small", f"{tmp_path}/serving")
    assert 0 < int(given["port"]) != int(given["rest_api_port"]) > 0
    assert given.keys() <= DECLARED | {"model_name", "model_base_path"}
    assert served == []
    assert not (tmp_path / "docker_was_asked").exists()
    assert "listens on all addresses of this machine, not on 127.0.0.1 alone" in capsys.readouterr().out


def test_an_installed_server_s_port_is_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(tmp_path, monkeypatch, "exit 0", "tensorflow_model_server")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = ServeOptions(rest_port=taken.getsockname()[1], grpc_port=0)
        with pytest.raises(ConfigError, match="--rest-port: cannot listen on 0.0.0.0:"):
            run_serve_job(small_config(tmp_path), options)


@pytest.mark.parametrize(
    ("name", "said"), [("docker", "docker run"), ("tensorflow_model_server", "tensorflow_model_server")]
)
def test_a_server_that_fails_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str) -> None:
    program(tmp_path, monkeypatch, '[ "$1" = info ] || exit 125', name)
    with pytest.raises(JanusError, match=f"{said} ended with 125; --local serves by the development server"):
        run_serve_job(small_config(tmp_path), ServeOptions(rest_port=0, grpc_port=0))


def test_the_development_server_reads_no_object_store(tmp_path: Path) -> None:
    config = small_config(tmp_path, push={"path": "gs://bucket/small"})
    with pytest.raises(ConfigError, match=r"push\.path gs://bucket/small: the development server serves folders only"):
        run_serve_job(config, ServeOptions(local=True))


@pytest.mark.parametrize(
    ("script", "options", "reason"),
    [
        ("exit 1", ServeOptions(), "no tensorflow_model_server and no Docker here"),
        ("sleep 60", ServeOptions(), "no tensorflow_model_server and no Docker here"),
        ("exit 0", ServeOptions(local=True), "--local"),
        ("exit 0", ServeOptions(labels=["stable=3"]), "--labels and --log-requests"),
        ("exit 0", ServeOptions(log_requests=Path("log")), "--labels and --log-requests"),
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
    program(tmp_path, monkeypatch, script)
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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server(tmp_path: Path, number: int) -> None:
    """A shell that waits for its child, as the image's entry point, ends by SIGTERM only."""
    ready = tmp_path / "ready"
    script = f"trap '' INT; touch {ready}; sleep 60; true"

    def end() -> None:
        while not ready.exists():
            stopped.wait(0.02)
        os.kill(os.getpid(), number)

    before = signal.getsignal(number)
    stopped = threading.Event()
    thread = threading.Thread(target=end)
    thread.start()
    started = time.monotonic()
    assert run_until_signal(["bash", "-c", script]) == 0
    assert time.monotonic() - started < 30
    thread.join()
    assert signal.getsignal(number) == before


def test_no_tensorflow_is_loaded_for_docker() -> None:
    code = "import sys, pipeline.commands.serve.job; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
