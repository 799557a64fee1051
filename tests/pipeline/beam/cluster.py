"""A Beam cluster on this machine: Beam's job server and its worker pool, each a process of its own."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import portpicker

from tests.pipeline.beam import worker

START_SECONDS = 120


@dataclass(frozen=True)
class Cluster:
    """Where its parts are.

    Attributes:
        job_endpoint, worker_pool: host:port.
        folder: holds the servers' logs, and `workers`, with a file per worker process.
    """

    job_endpoint: str
    worker_pool: str
    folder: Path

    def profile(self) -> dict[str, Any]:
        """The `beam` section of a configuration that runs there."""
        return {
            "profile": "portable",
            "portable": {"job_endpoint": self.job_endpoint, "environment_config": self.worker_pool},
        }

    def bundles(self) -> dict[int, list[str]]:
        """Process id → a line per bundle that this worker processed."""
        return {int(log.name): log.read_text().splitlines() for log in (self.folder / "workers").iterdir()}


@contextmanager
def running_cluster(folder: Path, working_folder: Path) -> Iterator[Cluster]:
    """Starts it, with workers in this working folder, and ends it."""
    (folder / "workers").mkdir(parents=True)
    executable = folder / "worker"
    executable.write_text(f'#!/bin/sh\nexec {sys.executable} -m {worker.__name__} "$@"\n')
    executable.chmod(0o755)
    ports = [portpicker.pick_unused_port() for _ in range(2)]
    job_server = ["apache_beam.runners.portability.local_job_service_main", f"--port={ports[0]}"]
    pool = [
        "apache_beam.runners.worker.worker_pool_main",
        f"--service_port={ports[1]}",
        f"--container_executable={executable}",
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(map(str, [Path(worker.__file__).parents[3], *sys.path[1:]])),
        worker.LOG: str(folder / "workers"),
    }
    processes = []
    try:
        for name, command in (("job_server", job_server), ("pool", pool)):
            with (folder / f"{name}.log").open("w") as log:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, "-m", *command],
                        cwd=working_folder,
                        env=environment,
                        stdout=log,
                        stderr=subprocess.STDOUT,
                    )
                )
        for port, process in zip(ports, processes, strict=True):
            _wait_for(port, process, folder)
        yield Cluster(f"localhost:{ports[0]}", f"localhost:{ports[1]}", folder)
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    import socket

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, [log.read_text() for log in folder.glob("*.log")]
        with socket.socket() as client:
            if client.connect_ex(("localhost", port)) == 0:
                return
        time.sleep(0.2)
    raise TimeoutError(f"nothing listens on port {port}")
