"""The client library: by both protocols, and by itself; what is tried again, and what is not."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest

from serving.client import Client, LocalClient, RequestError, Signature, TensorInfo, connect, grpc_client, rest
from serving.client.retries import Policy
from serving.errors import Code
from serving.rows import columns_of_rows, require_values
from serving.signatures import signature_of_json, with_assumed_defaults

COLUMNS = {"distance": [1.0, -2.0, 0.5], "carrier": ["EV", "", "UA"], "stops": [1.0, float("nan"), 2.0]}


@pytest.fixture(params=["grpc", "rest", "local"])
def any_client(request: pytest.FixtureRequest, client: Any, tiny_models: Callable[[int], Path]) -> Iterator[Client]:
    """A client of each kind, of the same model."""
    made: dict[str, Callable[[], Client]] = {
        "grpc": lambda: connect(f"grpc://{client.server.grpc}", "tiny"),
        "rest": lambda: connect(client.server.rest, "tiny"),
        "local": lambda: LocalClient(tiny_models(0)),
    }
    with made[request.param]() as found:
        yield found


def test_every_client_gets_the_same_answers(any_client: Client) -> None:
    found = any_client.predict(COLUMNS)
    np.testing.assert_allclose(found["delay"], [[8.0], [-4.0], [3.0]], atol=1e-5)
    np.testing.assert_allclose(found["late"][:, 1], 1 / (1 + np.exp([-1.0, 2.0, -0.5])), atol=1e-6)
    assert found["late/classes"].tolist() == [[b"no", b"yes"]] * 3
    rows = [{"distance": 1, "carrier": "EV", "stops": 1}, {"distance": "-2"}, {"distance": 0.5, "stops": 2.0}]
    np.testing.assert_allclose(any_client.predict_rows(rows)["delay"], found["delay"], atol=1e-5)
    assert set(any_client.predict(COLUMNS, ["delay"])) == {"delay"}
    nested = any_client.predict({name: [[value] for value in values] for name, values in COLUMNS.items()})
    np.testing.assert_array_equal(nested["delay"], found["delay"])


def test_every_client_says_what_is_wrong(any_client: Client) -> None:
    with pytest.raises(RequestError, match="row 2: column 'distance' is 'far', not a number"):
        any_client.predict_rows([{"distance": 1}, {"distance": "far"}])
    with pytest.raises(RequestError, match="has no output 'price'; there are delay"):
        any_client.predict(COLUMNS, ["price"])
    for name, value, what in (
        ("stops", 1e30, "is 1000000000000000019884624838656, beyond 9007199254740991"),
        ("stops", float("inf"), "is inf, not a whole number"),
        ("distance", float("nan"), "is missing, but required"),
    ):
        with pytest.raises(RequestError, match=f"row 2: column '{name}' {what}") as refused:
            any_client.predict({**COLUMNS, name: [1.0, value, 2.0]})
        assert refused.value.code == Code.INVALID_ARGUMENT
    with pytest.raises(RequestError, match=r"input 'stops' has the shape \[3, 2\]"):
        any_client.predict({**COLUMNS, "stops": [[1.0, 2.0]] * 3})
    with pytest.raises(RequestError) as missing:
        any_client.predict({"carrier": ["UA"]})
    assert missing.value.code == Code.INVALID_ARGUMENT


def test_a_model_or_signature_that_is_not_there(client: Any) -> None:
    for url in (f"grpc://{client.server.grpc}", client.server.rest):
        with connect(url, "other") as found, pytest.raises(RequestError, match="other") as unknown:
            found.predict(COLUMNS)
        assert unknown.value.code == Code.NOT_FOUND
        with connect(url, "tiny", signature="nothing") as found, pytest.raises(RequestError, match="nothing"):
            found.predict(COLUMNS)


def test_a_label_chooses_the_version(client: Any) -> None:
    for url in (f"grpc://{client.server.grpc}", client.server.rest):
        with connect(url, "tiny", label="stable") as found:
            assert found.predict(COLUMNS)["delay"][0, 0] == pytest.approx(108.0)


class _Server:
    """A REST server that answers predictions as it is told: a status and a body each, the last for ever."""

    def __init__(self, metadata: Any, answers: list[tuple[int, str]]):
        seen = self.seen = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._send(200, json.dumps(metadata))

            def do_POST(self) -> None:
                seen.append(self.rfile.read(int(self.headers["Content-Length"])))
                self._send(*answers[min(len(seen), len(answers)) - 1])

            def _send(self, status: int, body: str) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *arguments: Any) -> None:
                """Is silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()


GOOD = json.dumps(
    {
        "outputs": {
            "delay": [[1.0]],
            "late": [[0.5, 0.5]],
            "late/classes": [["no", "yes"]],
            "late/probabilities": [[0.5, 0.5]],
        }
    }
)


@pytest.fixture
def scripted(client: Any) -> Iterator[Callable[[list[tuple[int, str]]], _Server]]:
    """Makes such servers, with the tiny model's metadata."""
    metadata = client.http.get("/v1/models/tiny/metadata").json()
    servers = []

    def make(answers: list[tuple[int, str]]) -> _Server:
        servers.append(_Server(metadata, answers))
        return servers[-1]

    yield make
    for server in servers:
        server.server.shutdown()
        server.server.server_close()


def test_what_may_pass_is_tried_again(scripted: Callable[..., _Server]) -> None:
    server = scripted([(503, '{"error": "loading"}'), (429, '{"error": "busy"}'), (200, GOOD)])
    with connect(server.url, "tiny") as found:
        assert found.predict({"distance": [1.0]}, ["delay"])["delay"].tolist() == [[1.0]]
    assert len(server.seen) == 3
    assert len(set(server.seen)) == 1


def test_what_cannot_pass_is_told_at_once(scripted: Callable[..., _Server]) -> None:
    server = scripted([(400, '{"error": "distance is wrong"}')])
    with connect(server.url, "tiny") as found, pytest.raises(RequestError, match="distance is wrong") as refused:
        found.predict({"distance": [1.0]})
    assert refused.value.code == Code.INVALID_ARGUMENT
    assert len(server.seen) == 1


def test_the_deadline_ends_the_attempts(scripted: Callable[..., _Server]) -> None:
    server = scripted([(503, '{"error": "loading"}')])
    with (
        connect(server.url, "tiny", deadline_seconds=1.0, retries=100) as found,
        pytest.raises(RequestError, match=r"the last of \d+ attempts"),
    ):
        found.predict({"distance": [1.0]})
    assert 2 <= len(server.seen) <= 6


@pytest.mark.parametrize("body", ['{"outputs": {"delay"', "<html>", "{}"])
def test_half_an_answer_is_none(scripted: Callable[..., _Server], body: str) -> None:
    server = scripted([(200, body)])
    with connect(server.url, "tiny", retries=1) as found, pytest.raises(RequestError):
        found.predict({"distance": [1.0]})


def test_metadata_without_defaults_leave_the_model_to_say_what_is_required(
    client: Any, caplog: pytest.LogCaptureFixture
) -> None:
    # As tfrt_servable.cc of TensorFlow Serving gives it since 2.20.
    whole = client.http.get("/v1/models/tiny/metadata").json()["metadata"]["signature_def"]["signature_def"]
    bare = signature_of_json({key: value for key, value in whole["serving_columns"].items() if key != "defaults"})
    assumed = with_assumed_defaults(bare)
    assert (bare.assumed, assumed.assumed, set(assumed.defaults)) == (False, True, set(bare.inputs))
    assert "does not say which columns are optional" in caplog.text
    columns = columns_of_rows(assumed, [{"distance": 1.0}, {"distance": 2.0, "stops": 3}])
    arrays = assumed.arrays(columns)
    require_values(assumed, arrays)
    assert arrays["carrier"].tolist() == [b"", b""]
    np.testing.assert_array_equal(arrays["stops"], [float("nan"), 3])
    known = signature_of_json(whole["serving_columns"])
    assert with_assumed_defaults(known) is known
    # A vector is missing in all its places.
    vector = TensorInfo(1, [-1, 3])
    assert with_assumed_defaults(Signature({"v": vector}, {})).defaults["v"].shape == (1, 3)


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_every_remote_client_assumes_them(client: Any, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = grpc_client if protocol == "grpc" else rest
    name = "signature_of" if protocol == "grpc" else "signature_of_json"
    read = getattr(module, name)
    monkeypatch.setattr(module, name, lambda definition: replace(read(definition), defaults={}))
    with connect(f"grpc://{client.server.grpc}" if protocol == "grpc" else client.server.rest, "tiny") as found:
        assert found.predict_rows([{"distance": 1, "stops": None}])["delay"].tolist() == [[2.0]]
        assert found.signature.assumed
    with connect(client.server.rest, "tiny", signature="sums") as other:
        assert not other.signature.defaults


def test_pauses_double_and_are_cut_by_chance() -> None:
    now, pauses = [0.0], []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        now[0] += seconds

    def fail(left: float) -> None:
        raise RequestError(Code.UNAVAILABLE, "not there")

    policy = Policy(100.0, 4, sleep, lambda: now[0], lambda: 1.0)
    with pytest.raises(RequestError, match="the last of 5 attempts"):
        policy.call(fail)
    assert pauses == pytest.approx([0.2, 0.4, 0.8, 1.6])


@pytest.mark.parametrize("url", ["localhost:8500", "ftp://host", "grpc://host:1/path", "http://host?x=1"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(ValueError, match=r"is no grpc|must end after"):
        connect(url, "tiny")
