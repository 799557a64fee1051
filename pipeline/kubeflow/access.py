"""The address of a Kubeflow Pipelines installation, and the credentials, which are checked before anything is sent."""

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from janus_core.errors import ConfigError

TOKEN = "JANUS_KFP_TOKEN"


@dataclass(frozen=True)
class Access:
    """An installation: its API's URL and a bearer token, or a context of the kubeconfig, by whose API it is reached."""

    host: str | None
    token: str | None = field(default=None, repr=False)
    kube_context: str | None = None
    kfp_namespace: str = "kubeflow"
    ca_file: Path | None = None

    @property
    def name(self) -> str:
        """Its name in messages."""
        return self.host or f"the kubeconfig's context '{self.kube_context}'"


def access_of(
    host: str | None,
    token_file: Path | None = None,
    kube_context: str | None = None,
    kfp_namespace: str = "kubeflow",
    ca_file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> Access:
    """The installation that the command line names, with the token of `--token-file`, else of `JANUS_KFP_TOKEN`.

    Raises:
        ConfigError: no installation is named, or two are, or the host is not a URL, or the token is not one.
    """
    if (host is None) == (kube_context is None):
        raise ConfigError("give --host URL, or --kube-context NAME for a cluster of the kubeconfig: one of the two")
    if ca_file is not None and not ca_file.is_file():
        raise ConfigError(f"--ca-file {ca_file}: there is no such file")
    if host is None:
        if token_file is not None:
            raise ConfigError("--token-file goes with --host: a --kube-context has its own credentials")
        return Access(None, None, kube_context, kfp_namespace, ca_file)
    return Access(checked_host(host), _token(token_file, environment), None, kfp_namespace, ca_file)


def checked_host(host: str) -> str:
    """The URL, without a slash at its end.

    Raises:
        ConfigError: it has no scheme or no host, or contains credentials, a query or a fragment.
    """
    try:
        parts = urlsplit(host)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        raise ConfigError(f"--host '{host}' is no URL: its port or its brackets are wrong") from None
    if parts.username or parts.password:
        # Not repeated: it holds a password.
        raise ConfigError(f"--host: leave user and password out of the URL; a token comes from {TOKEN} or --token-file")
    if parts.scheme not in ("http", "https") or "://" not in host:
        raise ConfigError(f"--host '{host}' has no scheme: write https://{host.rpartition('://')[2]}, or http://…")
    if not parts.hostname or not port_is_one:
        raise ConfigError(f"--host '{host}' names no host")
    if parts.query or parts.fragment:
        raise ConfigError(
            f"--host '{host}' is a page of the user interface: give the part before '{'?' if parts.query else '#'}'"
        )
    return host.rstrip("/")


def expiry(token: str) -> datetime | None:
    """When a JSON Web Token expires, UTC; None if it does not contain that."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (binascii.Error, ValueError, KeyError, TypeError, OverflowError, OSError):
        # Not every token with two dots is one.
        return None


def _token(file: Path | None, environment: Mapping[str, str]) -> str | None:
    if file is None:
        token, source = environment.get(TOKEN, "").strip(), TOKEN
    else:
        source = f"--token-file {file}"
        try:
            token = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ConfigError(f"{source} cannot be read: {reason}") from None
        if not token:
            raise ConfigError(f"{source} is empty")
    if not token.isascii() or any(sign.isspace() or not sign.isprintable() for sign in token):
        raise ConfigError(f"{source} holds more than a token: blanks, several lines or other signs")
    return token or None
