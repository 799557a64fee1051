"""What the steps of a run on Kubeflow have in common: the run id that they are given, and how a failure is shown."""

import os
import sys
import tempfile
from pathlib import Path

from janus_core.errors import ConfigError, JanusError

TERMINATION_LOG = Path("/dev/termination-log")
"""Kubernetes shows what a container writes there; the file exists in containers only."""

_MAX_TERMINATION_BYTES = 4096
"""Kubernetes' limit."""


class TransientError(JanusError):
    """A failure that may have passed when the step is tried again: a server that does not answer, a lost connection."""

    exit_code = 75
    """EX_TEMPFAIL of sysexits.h; an attempt's process ends with it, the step with 1."""


def check_run_id(run_id: str) -> None:
    """Refuses a placeholder: with it as its id every run would be taken for the first one, and do nothing.

    Raises:
        ConfigError: the orchestrator did not fill the placeholder in.
    """
    if "{{" in run_id:
        raise ConfigError(
            f"--run-id is the placeholder '{run_id}' itself, which the orchestrator should have replaced by the run's "
            "id: compile the pipeline again with this version of Janus, and run it on Kubeflow Pipelines 2.16 or newer"
        )


def check_writable(folder: str) -> None:
    """Tries to write where all steps write; a URL is not tried.

    Raises:
        ConfigError: this user may not.
    """
    if "://" in folder:
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written by user {os.getuid()}, group {os.getgid()} ({error.strerror}): Kubeflow does "
            "not hand volumes over to a step's group. Change the owner of the volume's folder once, as a pod of root's "
            f"with the claim mounted does by `chown {os.getuid()}:{os.getgid()}` (docs/kubeflow.md)"
        ) from error


def report_reason(text: str, termination_log: Path = TERMINATION_LOG) -> None:
    """Prints why a step failed, and lets Kubernetes and Argo show one line at the step.

    KFP's launcher ends with 1 whatever the step's exit code was, so that this is all that is seen from outside.
    """
    print(f"error: {text}", file=sys.stderr, flush=True)
    if termination_log.exists():
        lines = text.strip().splitlines() or [""]
        # A traceback ends with what it is about.
        line = lines[-1] if "Traceback" in lines[0] else lines[0]
        try:
            termination_log.write_bytes(line.encode()[:_MAX_TERMINATION_BYTES])
        except OSError as error:
            print(f"warning: {termination_log} cannot be written: {error}", file=sys.stderr, flush=True)
