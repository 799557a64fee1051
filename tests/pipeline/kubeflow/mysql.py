"""A MySQL-compatible server on a free port of this machine, with a data folder of its own."""

import os
import secrets
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60.0


@contextmanager
def mysql_server(folder: Path, *options: str) -> Iterator[dict[str, str]]:
    """Runs a server with an empty database and further options; gives the environment that names it to a step."""
    data, log = folder / "mysql", folder / "mysql.log"
    port, password = _free_port(), secrets.token_hex(8)
    common = ["--no-defaults", f"--datadir={data}"]
    subprocess.run(
        ["mariadb-install-db", *common, "--skip-test-db", "--auth-root-authentication-method=normal"],
        check=True,
        capture_output=True,
        cwd=folder,
    )
    root = ["--user=root"] if os.getuid() == 0 else []
    server = ["mariadbd", *common, *root, f"--port={port}", "--bind-address=127.0.0.1"]
    # Relative: a socket's path may have 107 bytes, fewer than some temporary folders have.
    usual = ["--socket=m.sock", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]
    with (
        log.open("w") as output,
        subprocess.Popen([*server, *usual, *options], cwd=folder, stdout=output, stderr=output) as run,
    ):
        try:
            _wait_for(port, run, log)
            run_sql(port, f"CREATE USER janus@'%' IDENTIFIED BY '{password}'")
            run_sql(port, "CREATE DATABASE metadata")
            run_sql(port, "GRANT ALL ON metadata.* TO janus@'%'")
            yield {"JANUS_MLMD": f"mysql://janus@127.0.0.1:{port}/metadata", "JANUS_MLMD_PASSWORD": password}
        finally:
            run.terminate()


def _wait_for(port: int, server: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            run_sql(port, "SELECT 1")
            return
        except subprocess.CalledProcessError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"mariadbd did not start: {log.read_text()}") from error
            time.sleep(0.2)


def run_sql(port: int, statement: str) -> None:
    """Runs a statement as root."""
    client = ["mariadb", "--no-defaults", "--host=127.0.0.1", f"--port={port}", "--user=root"]
    subprocess.run([*client, f"--execute={statement}"], check=True, capture_output=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
