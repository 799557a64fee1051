"""The encrypted connection to ML Metadata's database, which is a server of the test's own."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from ml_metadata import MetadataStore
from ml_metadata.errors import UnavailableError
from ml_metadata.proto import metadata_store_service_pb2 as service

from janus_core.errors import ConfigError
from pipeline.kubeflow.metadata import connection_config, explained
from tests.pipeline.kubeflow.mysql import mysql_server, run_sql

pytestmark = [pytest.mark.slow, pytest.mark.needs("mariadb")]


def certified(folder: Path, name: str) -> tuple[Path, Path]:
    """A key, and a certificate of its own that it belongs to 127.0.0.1."""
    key, certificate = folder / f"{name}.key", folder / f"{name}.crt"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1"]
    names = ["-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run([*request, *names, "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    return key, certificate


@pytest.fixture
def server(tmp_path: Path) -> Iterator[dict[str, str]]:
    """One that accepts no connection without TLS."""
    key, certificate = certified(tmp_path, "server")
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


class _Service(grpc.GenericRpcHandler):
    """ML Metadata's service, with nothing in it."""

    def service(self, handler_call_details: Any) -> Any:
        """Answers GetArtifactTypes."""
        assert handler_call_details.method.endswith("/GetArtifactTypes")
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: service.GetArtifactTypesResponse(),
            service.GetArtifactTypesRequest.FromString,
            service.GetArtifactTypesResponse.SerializeToString,
        )


@pytest.fixture
def grpc_server(tmp_path: Path) -> Iterator[str]:
    """Its address; it speaks TLS alone."""
    key, certificate = certified(tmp_path, "server")
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    found = grpc.server(ThreadPoolExecutor(1), handlers=[_Service()])
    port = found.add_secure_port("127.0.0.1:0", credentials)
    found.start()
    yield f"grpc://127.0.0.1:{port}?tls=true"
    found.stop(None)


def test_a_grpc_servers_certificate_is_verified(grpc_server: str, tmp_path: Path) -> None:
    def types(authority: Path | None) -> Any:
        environment = {"JANUS_MLMD": grpc_server} | ({"JANUS_MLMD_CA": str(authority)} if authority else {})
        config = connection_config(environment)
        config.client_timeout_sec = 10
        return MetadataStore(config).get_artifact_types()

    _, other = certified(tmp_path, "other")
    assert types(tmp_path / "server.crt") == []
    for wrong in (other, None):
        with pytest.raises(UnavailableError):
            types(wrong)
    with pytest.raises(ConfigError, match="JANUS_MLMD_CA: .*none.crt cannot be read"):
        types(tmp_path / "none.crt")
