"""The process of a step on Kubeflow: its checks, its attempts, and how it reports a failure.

A failure that may be temporary is tried again here, since Kubeflow may not do so. From KFP 2.17 on, Argo's default is
to retry a step only if its pod was lost (`retryPolicy: OnError` in
manifests/kustomize/third-party/argo/base/workflow-controller-configmap-patch.yaml); up to 2.16 it also retried a step
whose command failed, whatever the reason.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from janus_core.errors import ConfigError, JanusError
from janus_core.files import try_to_write

TERMINATION_LOG = Path("/dev/termination-log")
"""Kubernetes shows what a container writes there; the file exists in containers only."""

_MAX_TERMINATION_BYTES = 4096
"""Kubernetes' limit."""

BACKOFF_FACTOR = 2.0

_TRANSIENT = re.compile(
    r"^(?:[\w.]*\.)?(?:"
    # TensorFlow's file systems, ML Metadata, gRPC
    r"UnavailableError|DeadlineExceededError|AbortedError|_InactiveRpcError|"
    # Google's and Amazon's clients
    r"ServiceUnavailable|InternalServerError|BadGateway|GatewayTimeout|TooManyRequests|RetryError|"
    r"EndpointConnectionError|ReadTimeoutError|ConnectTimeoutError|"
    # Sockets
    r"ConnectionResetError|ConnectionAbortedError|ConnectionRefusedError|BrokenPipeError|RemoteDisconnected|"
    r"TransientError"
    r")\b"
    r"|HTTP response code 5\d\d|HttpError accessing .*status': '5\d\d'|\((?:InternalError|SlowDown|503|500)\)"
    r"|MySQL server has gone away|Lost connection to MySQL|Can't connect to MySQL",
    re.MULTILINE,
)


class TransientError(JanusError):
    """A failure that may not occur again, such as a server that does not answer, or a lost connection."""

    exit_code = 75
    """EX_TEMPFAIL of sysexits.h; an attempt's process ends with it, the step with 1."""


def step_parser(module: str, description: str | None, epilog: str | None = None) -> argparse.ArgumentParser:
    """The parser of a step's command line, with the arguments that every step has."""
    how = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(f"python -m {module}", description=description, epilog=epilog, formatter_class=how)
    parser.add_argument("--ir", required=True, metavar="PATH", help="ir.json of the bundle that `compile` wrote")
    parser.add_argument("--digest", metavar="SHA256", help="of the bundle, which is refused if it has another")
    parser.add_argument("--run-id", required=True, metavar="ID", help="the same for all nodes and tries of a run")
    return parser


def check_run_id(run_id: str) -> None:
    """Refuses a placeholder: with it as its id, every run would be taken for the first one, and do nothing.

    Raises:
        ConfigError: the orchestrator did not fill the placeholder in.
    """
    if "{{" in run_id:
        raise ConfigError(
            f"--run-id is the placeholder '{run_id}' itself, which the orchestrator should have replaced by the run's "
            "id: compile the pipeline again with this version of Janus, and run it on Kubeflow Pipelines 2.16 or newer"
        )


def check_writable(folder: str) -> None:
    """Checks that this user may write where all steps write; a URL is not checked.

    Raises:
        ConfigError: the folder cannot be written.
    """
    if "://" in folder:
        return
    try:
        try_to_write(Path(folder))
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written by user {os.getuid()}, group {os.getgid()} ({error.strerror}): Kubeflow does "
            "not hand volumes over to a step's group. Change the owner of the volume's folder once, as a pod of root's "
            f"with the claim mounted does by `chown {os.getuid()}:{os.getgid()}` (docs/kubeflow.md)"
        ) from error


def report_reason(text: str, termination_log: Path = TERMINATION_LOG) -> None:
    """Prints why a step failed, and writes one line for Kubernetes and Argo to show at the step.

    KFP's launcher ends with 1 whatever the step's exit code was, so this line is all that is visible from outside.
    """
    print(f"error: {text}", file=sys.stderr, flush=True)
    if termination_log.exists():
        lines = text.strip().splitlines() or [""]
        # The last line of a traceback is the error.
        line = lines[-1] if "Traceback" in lines[0] else lines[0]
        try:
            termination_log.write_bytes(line.encode()[:_MAX_TERMINATION_BYTES])
        except OSError as error:
            print(f"warning: {termination_log} cannot be written: {error}", file=sys.stderr, flush=True)


def is_transient(text: str) -> bool:
    """Whether an error, as Python prints it, may not occur again when the step is tried again."""
    return _TRANSIENT.search(text) is not None


def run_attempts(command: Sequence[str], name: str, retries: int, backoff_seconds: float) -> int:
    """Runs a command until it ends with anything but a failure that may pass, and returns its exit code.

    A command that a signal killed (as for lack of memory), or that ends with `TransientError`'s exit code, is run again
    after a pause that doubles each time. A SIGTERM is passed on, and ends the attempts: the pod itself is to end.
    """
    stop = threading.Event()
    running: list[subprocess.Popen[bytes]] = []

    def end(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        for process in running:
            process.send_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, end)
    try:
        for attempt in range(retries + 1):
            with subprocess.Popen(command) as process:
                running[:] = [process]
                code = process.wait()
                running.clear()
            if stop.is_set():
                return 128 + signal.SIGTERM
            killed = f"its process was ended by {signal.Signals(-code).name}" if code < 0 else None
            if killed:
                report_reason(f"{name}: {killed}{', as for lack of memory' if code == -signal.SIGKILL else ''}")
            elif code != TransientError.exit_code:
                return code
            if attempt < retries:
                pause = backoff_seconds * BACKOFF_FACTOR**attempt
                print(f"{name}: attempt {attempt + 2} of {retries + 1} follows in {pause:g} s", flush=True)
                if stop.wait(pause):
                    return 128 + signal.SIGTERM
        return 1
    finally:
        signal.signal(signal.SIGTERM, before)


def exit_now(code: int) -> None:
    """Ends the process without waiting for the libraries' threads, which may outlive the work."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
