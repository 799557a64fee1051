"""Makes the client for a URL."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from serving.client.base import Client, RemoteModel
from serving.client.retries import Policy
from serving.signatures import COLUMNS

GRPC_PORT, REST_PORT = 8500, 8501
"""The default ports of TF Serving."""


def connect(
    url: str,
    model: str,
    *,
    version: int | None = None,
    label: str | None = None,
    signature: str = COLUMNS,
    deadline_seconds: float = 10.0,
    retries: int = 4,
    headers: Mapping[str, str] | None = None,
    certificates: Path | str | None = None,
) -> Client:
    """A client of a served model. The server is first called when the signature is needed.

        with connect("http://localhost:8501", "flights", label="canary") as client:
            client.predict({"carrier": ["EV", ""], "distance": [719.0, float("nan")]})["arr_delay"]

    Args:
        url: `grpc://host:port` or `grpcs://` (port 8500 if absent), `http://host:port` or `https://` (port 8501),
            the latter two with a path if a proxy needs one.
        model: the name under which it is served.
        version: by default the newest one that is served.
        label: a label such as `stable`, instead of a version.
        signature: the signature's name.
        deadline_seconds: for a request with all its attempts.
        retries: attempts after the first, if the server is unreachable, not ready (UNAVAILABLE, 503) or overloaded
            (RESOURCE_EXHAUSTED, 429).
        headers: sent with each request, such as `Authorization`.
        certificates: a PEM file of certificate authorities, if the server's certificate is not signed by one that the
            system trusts.

    Raises:
        ValueError: the URL is none of these, or both version and label are given.
        OSError: the certificates cannot be read.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("grpc", "grpcs", "http", "https") or not parts.hostname:
        raise ValueError(f"'{url}' is no grpc://host:port, grpcs://host:port, http://host:port or https://host:port")
    if parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"'{url}' must end after the host, port and path")
    if deadline_seconds <= 0 or retries < 0:
        raise ValueError("deadline_seconds must be above 0, and retries not below")
    trusted = Path(certificates) if certificates is not None else None
    remote = RemoteModel(model, version, label, signature, Policy(deadline_seconds, retries), headers or {}, trusted)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    if parts.scheme.startswith("grpc"):
        if parts.path.strip("/"):
            raise ValueError(f"'{url}' must end after the port: gRPC has no paths")
        from serving.client.grpc_client import GrpcClient

        address, secure = f"{host}:{parts.port or GRPC_PORT}", parts.scheme == "grpcs"
        return GrpcClient(address, secure, remote)
    from serving.client.rest import RestClient

    base = f"{parts.scheme}://{host}:{parts.port or REST_PORT}{parts.path}"
    return RestClient(base, remote)
