"""Slow clients, and many of them: whoever sends nothing is let go, and others are answered meanwhile."""

import contextlib
import gzip
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
import tensorflow as tf
import uvicorn
from starlette.responses import PlainTextResponse
from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

from serving.server.patience import Patience, http_protocol
from serving.server.run import RunningServer, ServerOptions, running
from tests.serving.server.requests import good_request, predict_request
from tests.serving.server.waiting import until_available

IMPATIENT = Patience(header_seconds=0.5, body_seconds=0.5, answer_seconds=0.5, connections=12)
BODY = json.dumps({"signature_name": "sums", "instances": [[1, 2]]}).encode()
HEAD = b"POST /v1/models/tiny:predict HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % len(BODY)


@pytest.fixture(scope="module")
def server(publish: Callable[[Path, int], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    base = tmp_path_factory.mktemp("patience")
    publish(base, 1)
    with running(ServerOptions("tiny", base, rest_port=0, grpc_port=0, patience=IMPATIENT)) as found:
        until_available(found.manager, 1)
        yield found


def connected(address: str) -> socket.socket:
    host, _, port = address.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), timeout=20)


def answered(server: RunningServer) -> None:
    assert httpx.post(f"{server.rest}/v1/models/tiny:predict", content=BODY, timeout=30).json() == {
        "predictions": [3.0]
    }


def until_closed(client: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(1 << 16):
            received += part
    return received


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"", b"HTTP/1.1 408 "),
        (b"POST /v1/models/tiny:predict HTTP/1.1\r\nhost: a\r\n", b"HTTP/1.1 408 "),
        (HEAD, b"HTTP/1.1 408 "),
        (HEAD + BODY[:10], b"HTTP/1.1 408 "),
        (b"POST /v1/x HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhel", b"HTTP/1.1 408 "),
        # The answer to a first request is followed by half of a second one.
        (HEAD + BODY + b"GET / HT", b"HTTP/1.1 200 "),
    ],
    ids=[
        "nothing",
        "half of the headers",
        "no body",
        "half of the body",
        "half of a chunk",
        "half of the next request",
    ],
)
@pytest.mark.slow
def test_a_client_that_falls_silent_is_let_go(server: RunningServer, sent: bytes, status: bytes) -> None:
    with connected(server.rest) as client:
        started = time.monotonic()
        client.sendall(sent)
        received = until_closed(client)
    assert received.startswith(status)
    assert time.monotonic() - started < 15
    answered(server)


@pytest.mark.parametrize("first", [b"GET / HTTP/1.1\r\n", HEAD], ids=["headers", "body"])
def test_a_client_that_drips_is_let_go(server: RunningServer, first: bytes) -> None:
    with connected(server.rest) as client:
        started = time.monotonic()
        client.sendall(first)
        with contextlib.suppress(ConnectionError):
            for _ in range(200):
                client.sendall(b"x")
                time.sleep(0.1)
    assert time.monotonic() - started < 15


@pytest.mark.slow
def test_a_large_body_may_take_longer(server: RunningServer) -> None:
    body = BODY + b" " * 200_000
    with connected(server.rest) as client:
        client.sendall(HEAD.replace(b"%d" % len(BODY), b"%d" % len(body)))
        for start in range(0, len(body), 20_000):
            client.sendall(body[start : start + 20_000])
            time.sleep(0.1)
        assert client.recv(1 << 16).startswith(b"HTTP/1.1 200 ")


def test_silent_clients_do_not_keep_others_out_for_long(server: RunningServer) -> None:
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connected(server.rest)) for _ in range(2 * IMPATIENT.connections)]
        refused = [until_closed(client) for client in clients]
        assert any(answer.startswith(b"HTTP/1.1 503 ") for answer in refused)
        answered(server)


@pytest.mark.slow
def test_a_client_that_does_not_read_is_let_go() -> None:
    size = 64 << 20

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse(b"x" * size)(scope, receive, send)

    config = uvicorn.Config(app, http=http_protocol(IMPATIENT), log_config=None, timeout_keep_alive=0, lifespan="off")
    uvicorn_server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=uvicorn_server.run, args=([listener],))
        thread.start()
        with socket.create_connection(listener.getsockname(), timeout=20) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
            time.sleep(3)
            received = until_closed(client)
        uvicorn_server.should_exit = True
        thread.join()
    assert received.startswith(b"HTTP/1.1 200 ")
    assert len(received) < size


def test_bodies_that_are_too_much_together_are_refused(publish: Callable[[Path, int], Path], tmp_path: Path) -> None:
    """While a body of 600 bytes waits for its end, there is no room for another; afterwards there is."""
    publish(tmp_path, 1)
    patience = Patience(body_seconds=20)
    options = ServerOptions("tiny", tmp_path, rest_port=0, grpc_port=0, patience=patience, max_total_bytes=1000)
    body = BODY + b" " * (600 - len(BODY))
    with running(options) as server, connected(server.rest) as waiting, grpc.insecure_channel(server.grpc) as channel:
        until_available(server.manager, 1)
        waiting.sendall(HEAD.replace(b"%d" % len(BODY), b"%d" % len(body)) + body[:-1])
        packed = {"Content-Encoding": "gzip"}
        url = f"{server.rest}/v1/models/tiny:predict"
        deadline = time.monotonic() + 20
        while (refused := httpx.post(url, content=body, timeout=30)).status_code == 200:
            assert time.monotonic() < deadline, "the waiting body was never counted"
        unpacked = httpx.post(url, content=gzip.compress(BODY), headers=packed, timeout=30)
        stub = PredictionServiceStub(channel)
        with pytest.raises(grpc.RpcError) as error:
            stub.Predict(predict_request("echo", {"text": [b"x" * 600]}), timeout=30)
        waiting.sendall(body[-1:])
        assert waiting.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
        afterwards = httpx.post(url, content=body, timeout=30)
        assert stub.Predict(good_request(), timeout=30).outputs
    assert (refused.status_code, unpacked.status_code, afterwards.status_code) == (503, 503, 200)
    assert refused.json() == {"error": "The requests in progress have 1000 bytes together: try again later"}
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE


def test_grpc_requests_whose_message_does_not_come(server: RunningServer) -> None:
    with grpc.insecure_channel(server.grpc) as silent, grpc.insecure_channel(server.grpc) as channel:
        method = silent.stream_unary("/tensorflow.serving.PredictionService/Predict")
        release = []

        def nothing() -> Iterator[bytes]:
            while not release:
                time.sleep(0.05)
            yield from ()

        calls = [method.future(nothing()) for _ in range(10)]
        good = PredictionServiceStub(channel).Predict(good_request(), timeout=20)
        assert tf.make_ndarray(good.outputs["delay"]).tolist() == [[5.0]]
        assert {call.exception(timeout=20).code() for call in calls} == {grpc.StatusCode.CANCELLED}
        release.append(True)


def test_too_many_grpc_requests_at_a_time(server: RunningServer) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        stub = PredictionServiceStub(channel)
        codes = set()
        for call in [stub.Predict.future(good_request(), timeout=30) for _ in range(200)]:
            failed = call.exception()
            codes.add(failed.code() if failed else None)
        # On a busy machine, a message may also come too late.
        assert codes - {grpc.StatusCode.CANCELLED} == {None, grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert stub.Predict(good_request()).outputs
