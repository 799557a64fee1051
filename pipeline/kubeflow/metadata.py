"""The connection to ML Metadata, whose address `JANUS_MLMD` holds."""

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from ml_metadata.proto import metadata_store_pb2 as pb

from janus_core.errors import ConfigError, JanusError
from pipeline.kubeflow.step import TransientError

VARIABLE, PASSWORD, AUTHORITY = "JANUS_MLMD", "JANUS_MLMD_PASSWORD", "JANUS_MLMD_CA"
CONNECT_SECONDS = 10.0
PORTS = {"mysql": 3306, "grpc": 8080}
TLS = "tls=true"


def connection_config(environment: Mapping[str, str] = os.environ) -> Any:
    """The connection that the environment names: a ConnectionConfig, or a MetadataStoreClientConfig for gRPC.

    Raises:
        ConfigError: the variable is not set, or is not an address.
    """
    url = environment.get(VARIABLE)
    if not url:
        raise ConfigError(
            f"{VARIABLE} is not set: give ML Metadata's address, as mysql://user@host:port/database, grpc://host:port "
            "or sqlite:///path"
        )
    parts = urlsplit(url)
    config = pb.ConnectionConfig()
    if parts.scheme == "sqlite" and parts.path:
        config.sqlite.filename_uri = parts.path
        config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READWRITE_OPENCREATE
        return config
    if parts.scheme not in PORTS or not parts.hostname:
        raise ConfigError(
            f"{VARIABLE}: '{_without_password(url)}' is none of mysql://user@host:port/database, grpc://host:port, "
            "sqlite:///path"
        )
    port = parts.port or PORTS[parts.scheme]
    if parts.query not in ("", TLS):
        raise ConfigError(f"{VARIABLE}: '?{parts.query}' is not '?{TLS}', the only parameter of an address")
    if parts.scheme == "grpc":
        client = pb.MetadataStoreClientConfig(host=parts.hostname, port=port)
        if parts.query:
            # Without an authority of its own, gRPC's roots are those that the certificate is verified by.
            client.ssl_config.SetInParent()
            if authority := environment.get(AUTHORITY):
                client.ssl_config.custom_ca = _certificates(authority)
        return client
    database = parts.path.lstrip("/")
    if not database or not parts.username:
        raise ConfigError(f"{VARIABLE}: '{_without_password(url)}' names no user or no database")
    config.mysql.host, config.mysql.port, config.mysql.database = parts.hostname, port, database
    config.mysql.user = unquote(parts.username)
    config.mysql.password = environment.get(PASSWORD) or unquote(parts.password or "")
    if parts.query:
        # The client encrypts if it has any options of TLS. It does not verify a certificate: with verify_server_cert it
        # connects to no server at all.
        config.mysql.ssl_options.SetInParent()
    return config


def _certificates(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{AUTHORITY}: {path} cannot be read as certificates (PEM): {error}") from error


def check_reachable(config: Any) -> None:
    """Checks that the address can be connected to within seconds; ML Metadata's own client would wait for minutes.

    Raises:
        TransientError: nothing listens there.
    """
    if isinstance(config, pb.MetadataStoreClientConfig):
        host, port = config.host, config.port
    elif config.HasField("mysql"):
        host, port = config.mysql.host, config.mysql.port
    else:
        return
    try:
        with socket.create_connection((host, port), CONNECT_SECONDS):
            pass
    except OSError as error:
        raise TransientError(f"ML Metadata at {host}:{port} ({VARIABLE}) cannot be reached: {error}") from error


def explained(error: Exception) -> Exception:
    """A failure to connect to ML Metadata as an error that says what to do; any other failure as it is."""
    text = str(error)
    if "errno: (1045)" in text or "errno: 1045" in text or "Access denied" in text:
        return JanusError(f"ML Metadata's database refused the user or the password ({VARIABLE}, {PASSWORD}): {text}")
    if "mysql_real_connect failed: errno: ," in text:
        return JanusError(
            f"ML Metadata's database ended the connection. If it demands TLS, add ?{TLS} to its address "
            f"(kubeflow.metadata in the configuration, {VARIABLE} for a command). {text}"
        )
    if "1049" in text and "Unknown database" in text:
        return JanusError(f"ML Metadata's database does not exist: create it first. {text}")
    if "schema version" in text or "schema_version" in text:
        return JanusError(
            "ML Metadata's database has another schema version than this client, which would have to migrate it: back "
            f"it up, stop older clients, and upgrade it once with ml_metadata's enable_upgrade_migration. {text}"
        )
    return error


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return url.replace(f":{parts.password}@", ":***@") if parts.password else url
