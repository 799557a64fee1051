"""Runs the server for both protocols in one process, until a signal ends it."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import uvicorn
from grpc_health.v1 import health

from serving.request_log import RequestLog
from serving.server.addresses import AddressError, bound, bracketed, in_use
from serving.server.bodies import MOST_BYTES, Bodies
from serving.server.grpc_services import create_server, set_health
from serving.server.inference import Inference
from serving.server.manager import ModelManager, State, VersionStatus, complete_versions
from serving.server.patience import PATIENCE, Patience, http_protocol
from serving.server.rest import MAX_BODY_BYTES, create_app

GRACE_SECONDS = 30.0
"""How long requests in progress may still take once the server is asked to stop."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServerOptions:
    """The model to serve, and the address to serve it at.

    Attributes:
        name: the model's name in requests.
        base_path: its folder of versions.
        host: the address to listen on.
        rest_port: 0 picks a free one, as for grpc_port.
        labels: label → version.
        request_log: a file for a sample of requests and answers; None: nothing is logged.
        sampling: the share of requests that are logged.
        seed: for the choice of these requests.
        poll_seconds: how often base_path is read.
        max_body_bytes: the largest body of a request.
        max_total_bytes: the most bytes of the bodies of requests in progress.
        patience: limits on slow clients.
    """

    name: str
    base_path: Path
    host: str = "127.0.0.1"
    rest_port: int = 8501
    grpc_port: int = 8500
    labels: Mapping[str, int] = field(default_factory=dict)
    request_log: Path | None = None
    sampling: float = 0.01
    seed: int = 0
    poll_seconds: float = 1.0
    max_body_bytes: int = MAX_BODY_BYTES
    max_total_bytes: int = MOST_BYTES
    patience: Patience = PATIENCE


@dataclass(frozen=True)
class RunningServer:
    """A server that accepts requests.

    Attributes:
        rest: the URL of the REST API and of the page.
        grpc: host:port.
        manager: holds the versions.
    """

    rest: str
    grpc: str
    manager: ModelManager


@contextmanager
def running(options: ServerOptions, report: Callable[[str], None] = log.info) -> Iterator[RunningServer]:
    """Serves within the block; at its end, requests in progress are still answered.

    Args:
        options: the model and the address.
        report: is called with a line for each version that is served or cannot be, and with warnings.

    Raises:
        AddressError: a port is in use, or the host is none of this machine's.
        RequestError: the request log is in use by another process, or is none.
        OSError: the request log cannot be written.
    """
    requests = RequestLog(options.request_log, options.sampling, options.seed) if options.request_log else None
    servicer = health.HealthServicer()

    def on_change(status: VersionStatus) -> None:
        # First, since who reads that a version is served may send a request at once.
        set_health(servicer, manager.available)
        _report(options.name, status, report)

    manager = ModelManager(options.name, options.base_path, options.poll_seconds, options.labels, on_change, report)
    inference = Inference(manager, requests.record if requests else None)
    try:
        with bound("--rest-port", options.host, options.rest_port) as listener:
            listener.listen(1024)
            bodies, threads = Bodies(options.max_total_bytes), 4 * (os.cpu_count() or 1)
            grpc_server = create_server(inference, servicer, threads, options.max_body_bytes, options.patience, bodies)
            grpc_port = _add_grpc_port(grpc_server, options)
            set_health(servicer, serving=False)
            with _rest_server(inference, options, bodies, listener):
                grpc_server.start()
                manager.start()
                try:
                    host = bracketed(options.host)
                    yield RunningServer(f"http://{host}:{listener.getsockname()[1]}", f"{host}:{grpc_port}", manager)
                finally:
                    grpc_server.stop(GRACE_SECONDS).wait()
    finally:
        manager.close(GRACE_SECONDS)
        if requests:
            requests.close()


def serve(options: ServerOptions, ready: Callable[[RunningServer], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT; requests in progress are answered before it returns.

    Args:
        options: the model and the address.
        ready: is called once both ports accept requests, which may be before there is a version.

    Raises:
        AddressError: a port is in use, or the host is none of this machine's.
        RequestError: the request log is in use by another process, or is none.
        OSError: the request log cannot be written.
    """
    stopped = threading.Event()
    previous = {number: signal.signal(number, lambda *_: stopped.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with running(options, _print) as server:
            _print(
                f"{options.name}: page and REST at {server.rest}, gRPC at {server.grpc} "
                "(for development; use tensorflow/serving in production)"
            )
            if not complete_versions(options.base_path):
                _print(
                    f"waiting for a first version: a numbered folder with a saved_model.pb in {options.base_path}; "
                    "until then requests are answered with NOT_FOUND (404)"
                )
            if ready:
                ready(server)
            stopped.wait()
            _print("stopping; requests in progress are still answered")
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _print(line: str) -> None:
    print(line, flush=True)


def _report(name: str, status: VersionStatus, report: Callable[[str], None]) -> None:
    if status.state == State.AVAILABLE:
        report(f"version {status.version} of {name} is served")
    elif status.error:
        first = status.error.strip().splitlines()[0]
        report(
            f"version {status.version} of {name} cannot be loaded, and is not tried again until its files change "
            f"(TensorFlow Serving: until it is restarted): {first}"
        )
    elif status.state == State.END:
        report(f"version {status.version} of {name} is unloaded")


def _add_grpc_port(server: grpc.Server, options: ServerOptions) -> int:
    # The address is tested by a socket first, since gRPC's message does not give the reason.
    with bound("--grpc-port", options.host, options.grpc_port):
        pass
    try:
        return server.add_insecure_port(f"{bracketed(options.host)}:{options.grpc_port}")
    except RuntimeError as error:
        raise in_use("--grpc-port", options.host, options.grpc_port, error) from None


@contextmanager
def _rest_server(
    inference: Inference, options: ServerOptions, bodies: Bodies, listener: socket.socket
) -> Iterator[None]:
    config = uvicorn.Config(
        create_app(inference, options.max_body_bytes, options.patience, bodies),
        http=http_protocol(options.patience),
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=int(GRACE_SECONDS),
    )
    server = uvicorn.Server(config)
    # Not in the main thread, in which uvicorn would handle the signals, and raise them again at its end.
    thread = threading.Thread(target=server.run, args=([listener],), name="rest")
    thread.start()
    try:
        while not server.started:
            if not thread.is_alive():
                raise AddressError("the REST server did not start; --verbose shows why")
            time.sleep(0.01)
        yield
    finally:
        server.should_exit = True
        thread.join()
