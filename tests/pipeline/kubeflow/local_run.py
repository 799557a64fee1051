"""Runs a compiled Kubeflow pipeline on this machine: KFP's own local orchestrator, each container a subprocess."""

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kfp import components, local
from kfp.local import docker_task_handler, status


@dataclass
class LocalRun:
    """What came of a run."""

    succeeded: bool
    run_id: str = ""
    codes: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)


Container = Callable[[list[str], Mapping[str, str]], "subprocess.CompletedProcess[str]"]
"""Runs a container's command with these variables."""


def run_container(command: list[str], environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    """As a process of this machine."""
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, **environment}, timeout=600
    )


def run_locally(
    yaml: Path,
    environment: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    container: Container = run_container,
    **arguments: Any,
) -> LocalRun:
    """Runs all tasks in the order of KFP's orchestrator.

    Args:
        yaml: what was compiled.
        environment: what the containers' environment adds to this one.
        monkeypatch: puts KFP's handler back.
        container: runs a task's command.
        arguments: the pipeline's inputs.
    """
    run = LocalRun(succeeded=True)

    def in_subprocess(handler: Any) -> Any:
        command = [sys.executable if part == "python" else part for part in handler.full_command]
        done = container(command, environment)
        node = next((part.partition("=")[2] for part in command if part.startswith("--node-id=")), "report")
        run.run_id = next(part.partition("=")[2] for part in command if part.startswith("--run-id="))
        run.codes[node], run.outputs[node] = done.returncode, done.stdout + done.stderr
        return status.Status.SUCCESS if done.returncode == 0 else status.Status.FAILURE

    monkeypatch.setattr(docker_task_handler.DockerTaskHandler, "run", in_subprocess)
    monkeypatch.chdir(yaml.parent)
    local.init(local.DockerRunner(), pipeline_root=str(yaml.parent / "kfp"))
    try:
        components.load_component_from_file(str(yaml))(**arguments)
    except RuntimeError:
        run.succeeded = False
    return run
