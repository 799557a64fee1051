"""`janus serve`: by TensorFlow Serving if it is installed or Docker works, else by the development server."""

import logging
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from components.pusher.layout import is_url
from janus_core.errors import ConfigError, JanusError
from pipeline.commands.deployment.job import trained_with
from pipeline.commands.serve.options import ServeOptions
from pipeline.config import JanusConfig
from serving.deployment.server import BINARY, PROGRAM, image_reference, plain_arguments, release_warning
from serving.server.addresses import bound, bracketed

DOCKER_SECONDS = 5.0
"""How long `docker info` may take until Docker counts as absent."""

ALL_ADDRESSES = "0.0.0.0"


def run_serve_job(config: JanusConfig, options: ServeOptions, verbose: bool = False) -> int:
    """Serves the pushed model until it is interrupted, and returns the exit code.

    Raises:
        ConfigError: an option is wrong, or a port is in use.
        JanusError: TensorFlow Serving or Docker failed.
    """
    labels = parse_labels(options.labels)
    if not 0 < options.sampling <= 1:
        raise ConfigError(f"--sampling {options.sampling}: a share of requests, above 0 and at most 1")
    if options.local:
        reason = "--local"
    elif options.labels or options.log_requests:
        # TensorFlow Serving reads labels from a configuration file only, and has no request log.
        reason = "--labels and --log-requests"
    elif binary := shutil.which(PROGRAM):
        return _serve_by_program(config, options, binary)
    elif docker_works():
        return _serve_by_docker(config, options)
    else:
        reason = f"no {PROGRAM} and no Docker here"
    print(f"{reason}: the development server is used", flush=True)
    return _serve_locally(config, options, labels, verbose)


def parse_labels(given: Sequence[str] | None) -> dict[str, int]:
    """Reads `label=version` into label → version.

    Raises:
        ConfigError: one is not of this form, or a label is given twice.
    """
    labels: dict[str, int] = {}
    for text in given or ():
        label, _, version = text.partition("=")
        if not label or not (version.isascii() and version.isdigit()) or set(label) & set("/:"):
            raise ConfigError(f"--labels {text}: expected LABEL=VERSION, such as stable=1795602333")
        if label in labels:
            raise ConfigError(f"--labels {text}: the label {label} is given twice")
        labels[label] = int(version)
    return labels


def docker_command(name: str, base_path: str, image: str, host: str, rest_port: int, grpc_port: int) -> list[str]:
    """The command that serves an absolute base path or URL by TensorFlow Serving's image, on ports of this machine."""
    folder = base_path if is_url(base_path) else f"/models/{name}"
    volume = [] if is_url(base_path) else ["-v", f"{base_path}:{folder}:ro"]
    return [
        "docker",
        "run",
        "--rm",
        # The server has no signal handlers, without which process 1 of a container receives no signals. And the image's
        # own entry point is a shell that does not pass them on (tools/docker/Dockerfile).
        "--init",
        "--entrypoint",
        BINARY,
        "-p",
        f"{bracketed(host)}:{rest_port}:8501",
        "-p",
        f"{bracketed(host)}:{grpc_port}:8500",
        *volume,
        image,
        *plain_arguments(name, folder, 8501, 8500),
    ]


def docker_works() -> bool:
    """Whether there is a Docker daemon that answers."""
    try:
        info = subprocess.run(["docker", "info"], capture_output=True, timeout=DOCKER_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return info.returncode == 0


def _serve_by_program(config: JanusConfig, options: ServeOptions, binary: str) -> int:
    rest_port, grpc_port = _ports(options)
    for option, port in (("--rest-port", rest_port), ("--grpc-port", grpc_port)):
        bound(option, ALL_ADDRESSES, port).close()
    command = [binary, *plain_arguments(config.name, _base_path(config), rest_port, grpc_port)]
    print(f"{config.name}: REST at http://localhost:{rest_port}, gRPC at localhost:{grpc_port}", flush=True)
    if options.host != ALL_ADDRESSES:
        print(f"{PROGRAM} listens on all addresses of this machine, not on {options.host} alone", flush=True)
    return _run(command, PROGRAM)


def _serve_by_docker(config: JanusConfig, options: ServeOptions) -> int:
    serving = config.serving
    own_tag = serving.image_tag or serving.deployment.tag
    tensorflow = "" if own_tag else trained_with(config.push.path, serving.deployment)
    try:
        image, tag = serving.image(tensorflow)
    except ValueError as error:
        raise ConfigError(f"{config.push.path}: {error}; give serving.deployment.tag") from error
    if doubt := release_warning(tag, tensorflow):
        print(f"warning: {doubt}", file=sys.stderr)
    rest_port, grpc_port = _ports(options)
    reference = image_reference(image, tag)
    command = docker_command(config.name, _base_path(config), reference, options.host, rest_port, grpc_port)
    print(f"{config.name}: REST at http://{options.host}:{rest_port}, gRPC at {options.host}:{grpc_port}", flush=True)
    return _run(command, "docker run")


def _base_path(config: JanusConfig) -> str:
    if is_url(config.push.path):
        return config.push.path
    base = Path(config.push.path).absolute()
    # Docker would create the folder as root, and TensorFlow Serving requires it to exist.
    base.mkdir(parents=True, exist_ok=True)
    return str(base)


def _ports(options: ServeOptions) -> tuple[int, int]:
    return options.rest_port or _free_port(options.host), options.grpc_port or _free_port(options.host)


def _run(command: list[str], program: str) -> int:
    print(" ".join(command), flush=True)
    code = run_until_signal(command)
    if code:
        raise JanusError(f"{program} ended with {code}; --local serves by the development server")
    return 0


def run_until_signal(command: list[str]) -> int:
    """Runs a command, ends it by SIGTERM on SIGTERM or SIGINT, and returns its exit code, or 0 if it was ended so."""
    signalled: list[int] = []
    # In a separate session, since Ctrl-C would otherwise reach it twice.
    with subprocess.Popen(command, start_new_session=True) as process:

        def end(number: int, frame: object) -> None:
            signalled.append(number)
            # Never SIGINT, which a shell in a container ignores while it waits for the server.
            process.terminate()

        handlers = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            code = process.wait()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return 0 if signalled else code


def _serve_locally(config: JanusConfig, options: ServeOptions, labels: dict[str, int], verbose: bool) -> int:
    if is_url(config.push.path):
        raise ConfigError(
            f"push.path {config.push.path}: the development server serves folders only; copy the version into one and "
            "give --set push.path=FOLDER"
        )
    from serving.errors import RequestError
    from serving.server.run import ServerOptions, serve

    logging.basicConfig(level=logging.INFO if verbose else logging.ERROR)
    if not verbose:
        # gRPC prints a traceback for every malformed message of a client.
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
    except (RequestError, OSError) as error:
        if options.log_requests is None:
            raise
        raise ConfigError(f"--log-requests {options.log_requests}: {error}") from None
    return 0


def _free_port(host: str) -> int:
    with bound("--host", host, 0) as probe:
        return int(probe.getsockname()[1])
