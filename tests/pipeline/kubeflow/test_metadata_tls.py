"""The encrypted connection to ML Metadata's database, which is a server of the test's own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ml_metadata import MetadataStore

from pipeline.kubeflow.metadata import connection_config, explained
from tests.pipeline.kubeflow.mysql import mysql_server, run_sql

pytestmark = [pytest.mark.slow, pytest.mark.needs("mariadb")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """One that accepts no connection without TLS."""
    key, certificate = tmp_path / "server.key", tmp_path / "server.crt"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=metadata"]
    subprocess.run([*request, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    with mysql_server(tmp_path, f"--ssl-key={key}", f"--ssl-cert={certificate}") as environment:
        run_sql(connection_config(environment).mysql.port, "SET GLOBAL require_secure_transport = ON")
        yield environment


def test_a_server_that_demands_tls_is_used_by_it_alone(server: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match="mysql_real_connect failed") as failure:
        MetadataStore(connection_config(server))
    assert "add ?tls=true to its address" in str(explained(failure.value))
    store = MetadataStore(connection_config({**server, "JANUS_MLMD": server["JANUS_MLMD"] + "?tls=true"}))
    assert store.get_artifact_types() == []
