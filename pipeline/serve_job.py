"""`janus serve`: TensorFlow Serving's image where Docker works, else the development server."""

import logging
import signal
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import JanusConfig
from trainer.errors import ConfigError, JanusError

DOCKER_SECONDS = 5.0
"""How long `docker info` may take before Docker counts as absent."""


@dataclass(frozen=True)
class ServeOptions:
    """Of `janus serve`.

    Attributes:
        rest_port: 0 picks a free one, as for grpc_port.
        host: the address to listen on.
        local: the development server even where Docker works.
        labels: as given, each `label=version`.
        log_requests: a file for a sample of requests and answers.
        sampling: the share of requests in it.
    """

    rest_port: int = 8501
    grpc_port: int = 8500
    host: str = "127.0.0.1"
    local: bool = False
    labels: tuple[str, ...] = ()
    log_requests: Path | None = None
    sampling: float = 0.01


def run_serve_job(config: JanusConfig, options: ServeOptions, verbose: bool = False) -> int:
    """Serves the pushed model until it is interrupted, and returns the exit code.

    Raises:
        ConfigError: an option is wrong, or a port is in use.
        JanusError: Docker failed.
    """
    labels = parse_labels(options.labels)
    if not 0 < options.sampling <= 1:
        raise ConfigError(f"--sampling {options.sampling}: a share of requests, above 0 and at most 1")
    reason = _reason_for_local(options)
    if reason is None:
        return _serve_by_docker(config, options)
    print(f"{reason}: the development server is used", flush=True)
    return _serve_locally(config, options, labels, verbose)


def parse_labels(given: tuple[str, ...]) -> dict[str, int]:
    """`label=version` → label → version.

    Raises:
        ConfigError: one is not of this form, or a label is given twice.
    """
    labels: dict[str, int] = {}
    for text in given:
        label, _, version = text.partition("=")
        if not label or not (version.isascii() and version.isdigit()) or set(label) & set("/:"):
            raise ConfigError(f"--labels {text}: expected LABEL=VERSION, such as stable=1795602333")
        if label in labels:
            raise ConfigError(f"--labels {text}: the label {label} is given twice")
        labels[label] = int(version)
    return labels


def docker_command(name: str, base_path: Path, tag: str, host: str, rest_port: int, grpc_port: int) -> list[str]:
    """The command that serves a base path by TensorFlow Serving's image.

    Args:
        name: the model's.
        base_path: absolute.
        tag: the image's.
        host: the address of this machine to listen on.
        rest_port: of this machine; so is grpc_port.
    """
    address = f"[{host}]" if ":" in host else host
    return [
        "docker",
        "run",
        "--rm",
        # The image's first process is a shell, which would ignore the signals that end the server.
        "--init",
        "-p",
        f"{address}:{rest_port}:8501",
        "-p",
        f"{address}:{grpc_port}:8500",
        "-v",
        f"{base_path}:/models/{name}:ro",
        "-e",
        f"MODEL_NAME={name}",
        f"tensorflow/serving:{tag}",
    ]


def docker_works() -> bool:
    """Whether there is a Docker daemon that answers."""
    try:
        found = subprocess.run(["docker", "info"], capture_output=True, timeout=DOCKER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return found.returncode == 0


def _reason_for_local(options: ServeOptions) -> str | None:
    if options.local:
        return "--local"
    if options.labels or options.log_requests:
        # The image takes labels from a configuration file only, and has no request log at all.
        return "--labels and --log-requests are not for Docker"
    return None if docker_works() else "no Docker here"


def _serve_by_docker(config: JanusConfig, options: ServeOptions) -> int:
    base = Path(config.push.path).absolute()
    # Docker would make it, as root.
    base.mkdir(parents=True, exist_ok=True)
    rest_port = options.rest_port or _free_port(options.host)
    grpc_port = options.grpc_port or _free_port(options.host)
    command = docker_command(config.name, base, config.serving.image_tag, options.host, rest_port, grpc_port)
    print(f"{config.name}: REST at http://{options.host}:{rest_port}, gRPC at {options.host}:{grpc_port}", flush=True)
    print(" ".join(command), flush=True)
    return run_until_signal(command)


def run_until_signal(command: list[str]) -> int:
    """Runs a command and hands SIGTERM and SIGINT on to it; 0 if it ended by them.

    Raises:
        JanusError: it ended by itself with an error.
    """
    signalled: list[int] = []
    # A session of its own: Ctrl-C would else reach it twice.
    with subprocess.Popen(command, start_new_session=True) as process:

        def forward(number: int, frame: object) -> None:
            signalled.append(number)
            process.send_signal(number)

        handlers = {number: signal.signal(number, forward) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            code = process.wait()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    if code and not signalled:
        raise JanusError(f"docker run ended with {code}; --local serves without Docker")
    return 0


def _serve_locally(config: JanusConfig, options: ServeOptions, labels: dict[str, int], verbose: bool) -> int:
    from serving.errors import RequestError
    from serving.server.run import AddressError, ServerOptions, serve

    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR)
    if not verbose:
        # gRPC prints a traceback for every message of a client that is none.
        logging.getLogger("grpc._common").setLevel(logging.CRITICAL)
    server = ServerOptions(
        name=config.name,
        base_path=Path(config.push.path),
        host=options.host,
        rest_port=options.rest_port,
        grpc_port=options.grpc_port,
        labels=labels,
        request_log=options.log_requests,
        sampling=options.sampling,
        seed=config.seed,
    )
    try:
        serve(server)
    except AddressError as error:
        raise ConfigError(str(error)) from None
    except (RequestError, OSError) as error:
        if options.log_requests is None:
            raise
        raise ConfigError(f"--log-requests {options.log_requests}: {error}") from None
    return 0


def _free_port(host: str) -> int:
    family, kind, protocol, _, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.bind(address)
        return probe.getsockname()[1]
