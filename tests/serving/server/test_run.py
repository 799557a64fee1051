"""The server as a process: ports, signals, waiting, the request log."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
import tensorflow as tf
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tensorflow_serving.apis import inference_pb2
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from serving.request_log import read_log
from serving.server.addresses import AddressError
from serving.server.run import ServerOptions, running
from tests.project import SOURCES
from tests.serving.server.requests import (
    classify_request,
    example,
    example_list,
    good_request,
    predict_request,
    regress_request,
)
from tests.serving.server.waiting import until_available

Publish = Callable[..., Path]
SCRIPT = """
import typer
from pathlib import Path
from pipeline import environment
from pipeline.commands.common import end_with, errors_reported

def main(folder: Path, rest_port: int, grpc_port: int) -> None:
    with errors_reported(False):
        environment.prepare()
        from pipeline.commands.serve.options import ServeOptions
        from pipeline.commands.serve.job import run_serve_job
        from tests.pipeline.small import small_config

        options = ServeOptions(rest_port=rest_port, grpc_port=grpc_port, local=True)
        end_with(run_serve_job(small_config(folder), options))

typer.run(main)
"""


@contextmanager
def process(folder: Path, rest_port: int = 0, grpc_port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """`janus serve --local` of the base path <folder>/serving and the model `small`."""
    command = [sys.executable, "-c", SCRIPT, str(folder), str(rest_port), str(grpc_port)]
    with subprocess.Popen(
        command, cwd=SOURCES, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)
    ) as found:
        try:
            yield found
        finally:
            if found.poll() is None:
                found.kill()


def line_with(found: subprocess.Popen[str], text: str) -> str:
    """The next line of output with this text in it."""
    assert found.stdout is not None
    for line in found.stdout:
        if text in line:
            return line.strip()
    raise AssertionError(f"ended without '{text}': {found.stderr.read() if found.stderr else ''}")


@pytest.mark.slow
def test_it_waits_for_a_first_version_serves_it_and_ends_by_a_signal(publish: Publish, tmp_path: Path) -> None:
    with process(tmp_path) as found:
        words = line_with(found, "REST at").replace(",", " ").split()
        rest, target = words[words.index("REST") + 2], words[words.index("gRPC") + 2]
        assert rest.startswith("http://127.0.0.1:")
        assert str(tmp_path / "serving") in line_with(found, "waiting for a first version")
        answer = httpx.get(f"{rest}/v1/models/small", timeout=30)
        assert (answer.status_code, answer.json()) == (404, {"error": "Could not find any versions of model small"})
        with grpc.insecure_channel(target) as channel:
            health = health_pb2_grpc.HealthStub(channel)
            assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            publish(tmp_path / "serving", 7)
            assert line_with(found, "is served") == "version 7 of small is served"
            assert health.Check(health_pb2.HealthCheckRequest()).status == health_pb2.HealthCheckResponse.SERVING
            request = good_request()
            request.model_spec.name = "small"
            response = PredictionServiceStub(channel).Predict(request)
        assert tf.make_ndarray(response.outputs["delay"]).tolist() == [[5.0]]
        found.send_signal(signal.SIGTERM)
        output, errors = found.communicate(timeout=30)
    assert found.returncode == 0, errors
    assert "Traceback" not in output + errors


@pytest.mark.slow
def test_a_port_in_use_is_told_and_ends_with_2(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with process(tmp_path, rest_port=port) as found:
            _, errors = found.communicate(timeout=60)
    assert found.returncode == 2
    assert errors.splitlines()[-1] == (
        f"error: --rest-port: cannot listen on 127.0.0.1:{port}: Address already in use; "
        "choose another port, or 0 for a free one"
    )


@pytest.mark.parametrize("which", ["rest_port", "grpc_port"])
def test_ports_in_use(tmp_path: Path, which: str) -> None:
    ports = {"rest_port": 0, "grpc_port": 0}
    with running(ServerOptions("tiny", tmp_path, **ports)) as server:
        taken = int((server.rest if which == "rest_port" else server.grpc).rpartition(":")[2])
        with (
            pytest.raises(AddressError, match=f"^--{which.replace('_', '-')}: cannot listen on 127.0.0.1:{taken}"),
            running(ServerOptions("tiny", tmp_path, **{**ports, which: taken})),
        ):
            pass


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_a_host_that_is_not_this_machine(tmp_path: Path, host: str) -> None:
    with pytest.raises(AddressError, match=host), running(ServerOptions("tiny", tmp_path, host, 0, 0)):
        pass


def test_requests_under_way_are_answered_at_the_end(
    publish: Publish, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from serving.saved_model import LoadedModel

    publish(tmp_path, 1)
    entered = threading.Semaphore(0)
    run = LoadedModel.run

    def slowly(*arguments: object) -> dict:
        entered.release()
        time.sleep(1)
        return run(*arguments)

    monkeypatch.setattr(LoadedModel, "run", slowly)
    answers: dict[str, object] = {}
    body = {"signature_name": "sums", "instances": [[1, 2]]}
    with running(ServerOptions("tiny", tmp_path, rest_port=0, grpc_port=0)) as server:
        until_available(server.manager, 1)
        url = f"{server.rest}/v1/models/tiny:predict"
        channel = grpc.insecure_channel(server.grpc)
        stub = PredictionServiceStub(channel)
        threads = [
            threading.Thread(target=lambda: answers.update(rest=httpx.post(url, json=body, timeout=30).json())),
            threading.Thread(target=lambda: answers.update(grpc=stub.Predict(good_request(), timeout=30))),
        ]
        for thread in threads:
            thread.start()
        for _ in threads:
            assert entered.acquire(timeout=20)
    for thread in threads:
        thread.join()
    assert answers["rest"] == {"predictions": [3.0]}
    assert tf.make_ndarray(answers["grpc"].outputs["delay"]).tolist() == [[5.0]]
    channel.close()
    with pytest.raises(httpx.ConnectError):
        httpx.post(url, json=body)


def test_answered_requests_are_logged(publish: Publish, tmp_path: Path) -> None:
    base, path = tmp_path / "base", tmp_path / "requests.tfrecord"
    publish(base, 1)
    options = ServerOptions("tiny", base, rest_port=0, grpc_port=0, request_log=path, sampling=1.0)
    with running(options) as server, grpc.insecure_channel(server.grpc) as channel:
        until_available(server.manager, 1)
        stub = PredictionServiceStub(channel)
        stub.Predict(good_request())
        stub.Classify(classify_request(example(distance=1.0)))
        stub.Regress(regress_request(example(distance=1.0)))
        multi = inference_pb2.MultiInferenceRequest(input=example_list(example(distance=0.0)))
        task = multi.tasks.add(method_name="tensorflow/serving/regress")
        task.model_spec.name, task.model_spec.signature_name = "tiny", "delay"
        stub.MultiInference(multi)
        with pytest.raises(grpc.RpcError):
            stub.Predict(predict_request("none", {}))
        with httpx.Client(base_url=f"{server.rest}/v1/models", timeout=30) as http:
            http.post("/tiny:predict", json={"signature_name": "sums", "instances": [[1, 2]]})
            http.post("/tiny:regress", json={"signature_name": "delay", "examples": [{"distance": 1.0}]})
            http.post("/tiny:predict", json={})
    logs = list(read_log(str(path)))
    kinds = ["predict_log", "classify_log", "regress_log", "multi_inference_log", "predict_log", "regress_log"]
    assert [log.WhichOneof("log_type") for log in logs] == kinds
    by_rest = logs[4].predict_log
    assert by_rest.request.model_spec.signature_name == "sums"
    assert tf.make_ndarray(by_rest.request.inputs["pairs"]).tolist() == [[1.0, 2.0]]
    assert tf.make_ndarray(by_rest.response.outputs["sum"]).tolist() == [3.0]
    assert by_rest.response.model_spec.version.value == 1
