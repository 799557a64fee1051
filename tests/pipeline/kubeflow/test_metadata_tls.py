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
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*request, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    with mysql_server(tmp_path, f"--ssl-key={key}", f"--ssl-cert={certificate}") as environment:
        run_sql(connection_config(environment).mysql.port, "SET GLOBAL require_secure_transport = ON")
        yield environment


def test_a_server_that_demands_tls_is_used_by_it_alone(server: dict[str, str]) -> None:
    with pytest.raises(RuntimeError, match="mysql_real_connect failed") as failure:
        MetadataStore(connection_config(server))
    assert "add ?tls=true to its address" in str(explained(failure.value))
    store = MetadataStore(connection_config({**server, "JANUS_MLMD": server["JANUS_MLMD"] + "?tls=true"}))
    assert store.get_artifact_types() == []


def test_ml_metadatas_client_verifies_no_certificate(server: dict[str, str], tmp_path: Path) -> None:
    """Once this fails, the client can: `connection_config` should then ask it to, and SECURITY.md say so."""
    config = connection_config({**server, "JANUS_MLMD": server["JANUS_MLMD"] + "?tls=true"})
    config.mysql.ssl_options.ca = str(tmp_path / "server.crt")
    assert MetadataStore(config).get_artifact_types() == []
    config.mysql.ssl_options.verify_server_cert = True
    with pytest.raises(RuntimeError, match="mysql_real_connect failed: errno: , error: "):
        MetadataStore(config)
