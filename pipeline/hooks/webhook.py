"""Sends what a run came to by HTTP."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import urllib3
from urllib3.exceptions import HTTPError, MaxRetryError, NewConnectionError, ResponseError, TimeoutError
from urllib3.util import Retry

from janus_core.errors import JanusError
from pipeline.config.hooks import Outcome, WebhookConfig
from pipeline.report.report_json import RunReport, headlines

TEMPORARY = (408, 425, 429, 500, 502, 503, 504)
"""The status codes after which it is tried again."""


def send(hook: WebhookConfig, report: RunReport, outcome: Outcome, place: str, environment: Mapping[str, str]) -> None:
    """Sends a document by POST, and waits for the answer.

    Raises:
        JanusError: there was no answer, or one that is no success, or a variable is not set. The message does not have
            the address if that is secret.
    """
    url = hook.url or _variable(hook.url_variable, environment)
    token = {"Authorization": f"Bearer {_variable(hook.token_variable, environment)}"} if hook.token_variable else {}
    where = f"${hook.url_variable}" if hook.url_variable else urlsplit(url).netloc
    retries = Retry(hook.retries, redirect=0, status_forcelist=TEMPORARY, allowed_methods=None, backoff_factor=1)
    http = urllib3.PoolManager(retries=retries, timeout=hook.timeout_seconds)
    try:
        with _unlogged():
            answer = http.request("POST", url, json=document(report, outcome, place), headers=token)
    except HTTPError as error:
        reason = error.reason if isinstance(error, MaxRetryError) and error.reason else error
        raise JanusError(f"{where} cannot be reached: {_without_address(reason, hook)}") from None
    if not 200 <= answer.status < 300:
        raise JanusError(f"{where} answered with HTTP {answer.status}")


def document(report: RunReport, outcome: Outcome, place: str) -> dict[str, Any]:
    """What is sent: the run's end, each task's metrics and gates, and `text`, a sentence, which Slack shows."""
    tasks = {
        name: {"metrics": task.get("metrics", {}), "gates": task.get("gates", [])}
        for name, task in report.tasks.items()
    }
    return {
        "event": "run_ended",
        "outcome": outcome,
        "text": _sentence(report, outcome),
        "pipeline": report.pipeline,
        "run_id": report.run_id,
        "exit_code": report.exit_code,
        "seconds": report.seconds,
        "pushed": report.pushed,
        "problems": report.problems,
        "warnings": report.warnings,
        "tasks": tasks,
        "report": place,
    }


def _sentence(report: RunReport, outcome: Outcome) -> str:
    found = headlines(report).items()
    metrics = ", ".join(f"{task} {one.metric} {one.value:.4f}" for task, one in found if one.value is not None)
    what = {
        "pushed": f"pushed {report.pushed}",
        "unchanged": "nothing new to push",
        "blocked": f"not pushed: {'; '.join(report.problems)}",
        "failed": f"failed: {'; '.join(report.problems)}",
    }[outcome]
    return f"{report.pipeline}: {what}{metrics and f' ({metrics})'}"


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keeps urllib3 from logging each attempt with the path, which may be the secret."""
    log = logging.getLogger("urllib3")
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


def _variable(name: str | None, environment: Mapping[str, str]) -> str:
    value = environment.get(name or "", "")
    if not value:
        raise JanusError(f"the environment variable {name} is not set")
    return value


def _without_address(error: Exception, hook: WebhookConfig) -> str:
    """What went wrong, by the cause: urllib3's own messages may hold the path, which may be the secret."""
    if isinstance(error, ResponseError):
        return str(error)
    if isinstance(error, TimeoutError) and not isinstance(error, NewConnectionError):
        return f"no answer in {hook.timeout_seconds:g} s"
    causes: list[BaseException] = [error]
    while cause := causes[-1].__cause__ or causes[-1].__context__:
        causes.append(cause)
    found = next((cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror), None)
    return found or type(error).__name__
