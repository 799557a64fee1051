"""New versions appear while clients hammer both protocols: no request fails, and the answers change."""

import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx
import tensorflow as tf
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from serving.server.run import RunningServer, ServerOptions, running
from tests.serving.server.requests import good_request
from tests.serving.server.waiting import until, until_available

BODY = {"signature_name": "delay", "examples": [{"distance": 1.0, "stops": 3}]}


def by_rest(server: RunningServer) -> Callable[[], float]:
    http = httpx.Client(base_url=server.rest, timeout=30)

    def ask() -> float:
        answer = http.post("/v1/models/tiny:regress", json=BODY)
        assert answer.status_code == 200, answer.text
        return answer.json()["results"][0]

    return ask


def by_grpc(server: RunningServer) -> Callable[[], float]:
    stub = PredictionServiceStub(grpc.insecure_channel(server.grpc))

    def ask() -> float:
        response = stub.Predict(good_request(), timeout=30)
        found = float(tf.make_ndarray(response.outputs["delay"])[0, 0])
        assert found == 5.0 + 10 * (response.model_spec.version.value - 1), "the version that is named has answered"
        return found

    return ask


def test_no_request_fails_while_versions_change(publish: Callable[[Path, int, int], Path], tmp_path: Path) -> None:
    publish(tmp_path, 1, 0)
    options = ServerOptions("tiny", tmp_path, rest_port=0, grpc_port=0, poll_seconds=0.05)
    answers: Counter[tuple[str, float]] = Counter()
    errors: list[BaseException] = []
    stopped = threading.Event()

    def hammer(protocol: str, ask: Callable[[], float]) -> None:
        try:
            while not stopped.is_set():
                answers[protocol, ask()] += 1
        except BaseException as error:
            errors.append(error)

    with running(options) as server:
        until_available(server.manager, 1)
        threads = [
            threading.Thread(target=hammer, args=(name, make(server)))
            for name, make in (("rest", by_rest), ("grpc", by_grpc))
            for _ in range(3)
        ]
        for thread in threads:
            thread.start()
        for version, value in ((1, 5.0), (2, 15.0), (3, 25.0)):
            if version > 1:
                publish(tmp_path, version, 10 * (version - 1))
            until(
                lambda value=value: bool(errors) or min(answers["rest", value], answers["grpc", value]) >= 20,
                f"both protocols answer {value}",
            )
        stopped.set()
        for thread in threads:
            thread.join()
        assert errors == []
        assert {value for _, value in answers} == {5.0, 15.0, 25.0}
        until(lambda: [status.state for status in server.manager.statuses()][1:] == ["END", "END"], "old ones unloaded")
