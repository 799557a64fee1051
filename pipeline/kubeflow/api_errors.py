"""What Kubeflow Pipelines' refusals and missing answers mean, in words that say what to do."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import kfp_server_api as api
import urllib3

from janus_core.errors import ConfigError, JanusError
from pipeline.kubeflow.access import TOKEN, Access, expiry

SKEW_SECONDS = 60.0
"""Clocks that differ by more are reported."""

MAX_MESSAGE = 600
"""Characters of the server's message that are repeated."""


class UnansweredError(JanusError):
    """Nothing, or no whole answer, came back: what was asked for may have been done all the same."""


class RefusedError(JanusError):
    """The server refused, with an HTTP status code."""

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


@contextmanager
def explained(access: Access, namespace: str | None, what: str) -> Iterator[None]:
    """Raises the failures of kfp_server_api and of the connection as errors that say what to do.

    Messages begin with `what` was asked for.

    Raises:
        UnansweredError: no whole answer came, or one that says that the server is busy or broken.
        RefusedError: the server refused.
    """
    name = access.name
    try:
        yield
    except api.ApiException as error:
        raise _explained(access, namespace, what, error) from error
    except UnansweredError as error:
        raise UnansweredError(
            f"{what}: {name} does not answer as Kubeflow Pipelines does: {error}. A login page needs a token "
            f"({TOKEN}); a user interface's address may need /pipeline at its end"
        ) from error
    except UnicodeDecodeError as error:
        raise UnansweredError(f"{what}: the answer of {name} is no text") from error
    except (urllib3.exceptions.HTTPError, OSError) as error:
        # urllib3 counts a refused connection among the time-outs.
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)
        if isinstance(error, urllib3.exceptions.TimeoutError) and not refused:
            raise UnansweredError(f"{what}: {name} did not answer in time") from error
        raise UnansweredError(f"{what}: {name} cannot be reached, or broke off: {_reason(error)}") from error


def _explained(access: Access, namespace: str | None, what: str, error: api.ApiException) -> JanusError:
    status, name = error.status or 0, access.name
    body = _body(error)
    texts = (*map(body.get, ("message", "error_message", "error")), error.body, error.reason)
    reason = " ".join(str(next(filter(None, texts), "no reason given")).split())
    reason = reason if len(reason) <= MAX_MESSAGE else f"{reason[:MAX_MESSAGE]}…"
    if status == 0 and "SSL" not in str(error.reason):
        return UnansweredError(f"{what}: the answer of {name} cannot be understood: {reason}")
    if status == 0:
        return ConfigError(
            f"{what}: {name} does not prove who it is: {reason}. For a certificate of your own authority give --ca-file"
        )
    # Some installations send gRPC's code 16, for a caller whom they do not know, with the HTTP status 400.
    if status == 401 or body.get("code") == 16 or "Unauthenticated" in str(body.get("error_message", "")):
        return RefusedError(f"{what}: {name} does not know who asks ({status}): {_about_token(access, error)}", status)
    if status == 403:
        where = f" in the namespace {namespace}" if namespace else ""
        return RefusedError(
            f"{what}: {name} does not allow it (403){where}: {reason}. The token's account needs the right, or "
            "kubeflow.namespace is another's",
            status,
        )
    if 300 <= status < 400:
        return RefusedError(
            f"{what}: {name} sends us elsewhere ({status}), as to a login: give a token by {TOKEN} or --token-file",
            status,
        )
    # A gateway also sends a message, for a path that it does not know.
    if status == 404 and (not {"message", "error", "error_message"} & set(body) or body.get("message") == "Not Found"):
        return RefusedError(
            f"{what}: {name} has no API of Kubeflow Pipelines v2 there (404): a user interface's address may need "
            "/pipeline at its end",
            status,
        )
    if status in (408, 429) or status >= 500:
        return UnansweredError(f"{what}: {name} is busy or broken ({status}): {reason}")
    return RefusedError(f"{what}: {name} refuses it ({status}): {reason}", status)


def _about_token(access: Access, error: api.ApiException) -> str:
    if access.host is None:
        return "the kubeconfig's credentials are refused; log in to the cluster again"
    if access.token is None:
        return f"no token was given; give one by {TOKEN} or --token-file"
    ends, now = expiry(access.token), datetime.now(UTC)
    clock = _server_clock(error) or now
    apart = abs((clock - now).total_seconds())
    skew = f". This machine's clock and the server's differ by {apart:.0f} s" if apart > SKEW_SECONDS else ""
    # Compared with the server's clock, since the server refused it.
    if ends is not None and ends <= clock:
        return f"the token expired at {ends:%Y-%m-%d %H:%M:%S} UTC; get a new one{skew}"
    return f"the token is refused; get a new one, of the audience that the server expects{skew}"


def _server_clock(error: api.ApiException) -> datetime | None:
    date = (error.headers or {}).get("Date")
    try:
        return parsedate_to_datetime(date) if date else None
    except ValueError:
        return None


def _body(error: api.ApiException) -> dict[str, Any]:
    try:
        content = json.loads(error.body or "")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _reason(error: BaseException) -> str:
    """The message of the innermost cause; urllib3 wraps it in texts with objects' addresses."""
    cause: BaseException = error
    while (inner := getattr(cause, "reason", None) or cause.__cause__) is not None and isinstance(inner, BaseException):
        cause = inner
    return " ".join(str(cause).rpartition(">: ")[2].split()) or type(cause).__name__
