"""Attempts at a step in processes of their own: what may pass is tried again here, since Kubeflow may not do so.

From KFP 2.17 on, Argo's default is to retry a step only if its pod was lost (`retryPolicy: OnError` in
manifests/kustomize/third-party/argo/base/workflow-controller-configmap-patch.yaml), up to 2.16 also if its command
failed, whatever of.
"""

import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from types import FrameType

from pipeline.kubeflow.steps import TransientError, report_reason

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


def is_transient(text: str) -> bool:
    """Whether an error, as Python prints it, is one that may have passed when it is tried again."""
    return _TRANSIENT.search(text) is not None


def run_attempts(command: Sequence[str], name: str, retries: int, backoff_seconds: float) -> int:
    """Runs a command until it ends with anything but a failure that may pass, and returns its exit code.

    A command that a signal killed (as for want of memory), or that ends with `TransientError`'s exit code, is run again
    after a pause that doubles each time. A SIGTERM is handed on, and ends it: then the pod itself is to end.

    Args:
        command: program and arguments.
        name: of the step, for messages.
        retries: how often it may be run again.
        backoff_seconds: before the first retry.
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
                report_reason(f"{name}: {killed}{', as for want of memory' if code == -signal.SIGKILL else ''}")
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
