"""Kubeflow Pipelines' API v2beta1, by KFP's own client: time limits, retries that make nothing twice, clear errors."""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import kfp_server_api as api
import urllib3

from janus_core.errors import ConfigError, JanusError
from pipeline.kubeflow.access import TOKEN, Access, expiry

LOG = logging.getLogger(__name__)

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 60.0
WAITS = (1.0, 3.0, 9.0)
"""Seconds before each further attempt."""

SKEW_SECONDS = 60.0
"""From which on a clock is called wrong."""

MAX_MESSAGE = 600
MAX_PAGES = 100
PAGE_SIZE = 100
EQUALS = 1
ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")
"""The states of a run that has come to its end; None and the others are those of one that has not."""

T = TypeVar("T")


class UnansweredError(JanusError):
    """Nothing, or no whole answer, came back: what was asked for may have been done all the same."""


class RefusedError(JanusError):
    """The server refused.

    Attributes:
        status: the HTTP status code.
    """

    def __init__(self, message: str, status: int):
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Client:
    """The services of an installation.

    Attributes:
        access: where it is.
        namespace: of a multi-user installation, else None.
        pipelines, uploads, experiments, runs, recurring_runs, health: kfp_server_api's.
        waits: seconds before each further attempt.
        wait_seconds: how long runs that are under way are waited for.
    """

    access: Access
    namespace: str | None
    pipelines: api.PipelineServiceApi
    uploads: api.PipelineUploadServiceApi
    experiments: api.ExperimentServiceApi
    runs: api.RunServiceApi
    recurring_runs: api.RecurringRunServiceApi
    health: api.HealthzServiceApi
    waits: tuple[float, ...] = WAITS
    wait_seconds: float = 600.0


class _ApiClient(api.ApiClient):
    """KFP's, which would wait for an answer without end, and take a login page for an empty list."""

    seconds: tuple[float, float] = (CONNECT_SECONDS, ANSWER_SECONDS)

    def request(self, method: str, url: str, **keywords: Any) -> Any:
        """Called for each request."""
        if keywords.get("_request_timeout") is None:
            keywords["_request_timeout"] = self.seconds
        return super().request(method, url, **keywords)

    def deserialize(self, response: Any, response_type: str) -> Any:
        """Called with each answer."""
        try:
            content = json.loads(response.data)
        except ValueError as error:
            start = " ".join(str(response.data).split())[:80]
            raise UnansweredError(f"the answer is not JSON: '{start}'") from error
        if not isinstance(content, dict):
            raise UnansweredError(f"the answer is no object: {str(content)[:80]}")
        return super().deserialize(response, response_type)


def connect(
    access: Access,
    namespace: str | None,
    seconds: tuple[float, float] = (CONNECT_SECONDS, ANSWER_SECONDS),
    waits: tuple[float, ...] = WAITS,
) -> Client:
    """The client of an installation, after one question whether it is there.

    Args:
        access: where it is, and what proves who asks.
        namespace: of a multi-user installation.
        seconds: that connecting, and an answer, may take.
        waits: seconds before each further attempt.

    Raises:
        ConfigError: the kubeconfig does not have the context, or the installation needs a namespace.
        JanusError: it does not answer, or refuses the token.
    """
    client = _client(_configuration(access), access, namespace, seconds, waits)
    health = asked(client, "whether Kubeflow Pipelines is there", client.health.healthz_service_get_healthz)
    if health.multi_user and not namespace:
        raise ConfigError(f"Kubeflow Pipelines at {access.name} is a multi-user installation: set kubeflow.namespace")
    if namespace and health.multi_user is False:
        # A single-user server refuses requests that name one.
        LOG.info("Kubeflow Pipelines at %s is a single-user installation: kubeflow.namespace is not used", access.name)
        client = _client(_configuration(access), access, None, seconds, waits)
    return client


def asked(client: Client, what: str, question: Callable[[], T]) -> T:
    """The answer to what changes nothing, or nothing more when done twice, asked again after a failure that may pass.

    Raises:
        JanusError: see `told`.
    """
    for wait in client.waits:
        try:
            with told(client, what):
                return question()
        except UnansweredError as error:
            LOG.warning("%s; asked again in %g s", error, wait)
            time.sleep(wait)
    with told(client, what):
        return question()


def made(client: Client, what: str, find: Callable[[], T | None], make: Callable[[], T]) -> T:
    """What `find` finds, or else `make` makes: after a lost answer it is looked for before it is made again.

    Raises:
        JanusError: see `told`.
    """
    for attempt in range(len(client.waits) + 1):
        found = find()
        if found is not None:
            return found
        try:
            with told(client, what):
                return make()
        except UnansweredError as error:
            if attempt == len(client.waits):
                raise
            LOG.warning("%s; looked for, and asked again, in %g s", error, client.waits[attempt])
            time.sleep(client.waits[attempt])
        except RefusedError as error:
            # Somebody else has made it meanwhile.
            found = find() if error.status == 409 else None
            if found is None:
                raise
            return found
    raise AssertionError("the last attempt returns or raises")


@contextmanager
def told(client: Client, what: str) -> Iterator[None]:
    """Raises KFP's failures in words that say what to do.

    Raises:
        UnansweredError: no whole answer came, or one that says that the server is busy or broken.
        RefusedError: the server refused.
    """
    name = client.access.name
    try:
        yield
    except api.ApiException as error:
        raise _explained(client, what, error) from error
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


def named(items: list[T], name: str) -> list[T]:
    """Those of exactly this name: KFP's filters may not tell upper and lower case apart."""
    return [item for item in items if getattr(item, "display_name", None) == name]


def all_pages(client: Client, what: str, key: str, page: Callable[..., Any], **query: Any) -> list[Any]:
    """All items of a list.

    Raises:
        JanusError: see `told`.
    """
    return [item for items in pages(client, what, key, page, **query) for item in items]


def pages(client: Client, what: str, key: str, page: Callable[..., Any], **query: Any) -> Iterator[list[Any]]:
    """The pages of a list.

    Args:
        client: of the installation.
        what: is listed, for messages.
        key: of the answer, that holds the items.
        page: kfp_server_api's method.
        query: its arguments; those that are None are left out.

    Raises:
        JanusError: see `told`.
    """
    given = {"page_size": PAGE_SIZE, **{name: value for name, value in query.items() if value is not None}}
    token = ""
    for _ in range(MAX_PAGES):
        answer = asked(client, what, partial(page, **given, **({"page_token": token} if token else {})))
        yield list(getattr(answer, key) or [])
        token = answer.next_page_token or ""
        if not token:
            return


def filter_by(key: str, value: str) -> str:
    """KFP's filter for a value, JSON."""
    return json.dumps({"predicates": [{"operation": EQUALS, "key": key, "stringValue": value}]})


def ensure_pipeline(client: Client, name: str, description: str) -> str:
    """The id of the pipeline, which is made without versions if there is none."""

    def find() -> Any | None:
        return _one(client, f"pipeline '{name}'", find_pipelines(client, name))

    model = api.V2beta1Pipeline(display_name=name, description=description, namespace=client.namespace)
    if "name" in model.openapi_types:
        # Servers from 2.5 on tell the name from what is displayed.
        model.name = name
    what = f"creating the pipeline '{name}'"
    pipeline = made(client, what, find, lambda: client.pipelines.pipeline_service_create_pipeline(model))
    return _identity(client, what, pipeline.pipeline_id)


def find_pipelines(client: Client, name: str) -> list[Any]:
    """The pipelines of the name, of which there should be one."""
    found = all_pages(
        client,
        f"looking for the pipeline '{name}'",
        "pipelines",
        client.pipelines.pipeline_service_list_pipelines,
        filter=filter_by("display_name", name),
        namespace=client.namespace,
    )
    return named(found, name)


def ensure_version(client: Client, pipeline_id: str, name: str, yaml: Path, description: str) -> str:
    """The id of the pipeline's version; the YAML is uploaded if there is none of this name."""
    what = f"uploading the version '{name}'"

    def find() -> Any | None:
        found = all_pages(
            client,
            f"looking for the version '{name}'",
            "pipeline_versions",
            lambda **query: client.pipelines.pipeline_service_list_pipeline_versions(pipeline_id, **query),
            filter=filter_by("display_name", name),
        )
        versions = named(found, name)
        return versions[0] if versions else None

    def upload() -> Any:
        return client.uploads.upload_pipeline_version(
            str(yaml), name=name, pipelineid=pipeline_id, description=description
        )

    version = made(client, what, find, upload)
    return _identity(client, what, version.pipeline_version_id)


def ensure_experiment(client: Client, name: str) -> str:
    """The id of the experiment, which is made if there is none.

    Raises:
        ConfigError: it is archived, and takes no runs.
    """
    what = f"creating the experiment '{name}'"

    def find() -> Any | None:
        return find_experiment(client, name)

    model = api.V2beta1Experiment(display_name=name, namespace=client.namespace)
    experiment = made(client, what, find, lambda: client.experiments.experiment_service_create_experiment(model))
    if experiment.storage_state == "ARCHIVED":
        raise ConfigError(f"kubeflow.experiment '{name}' is archived: restore it, or choose another")
    return _identity(client, what, experiment.experiment_id)


def find_experiment(client: Client, name: str) -> Any | None:
    """The experiment; None if there is none."""
    found = all_pages(
        client,
        f"looking for the experiment '{name}'",
        "experiments",
        client.experiments.experiment_service_list_experiments,
        filter=filter_by("display_name", name),
        namespace=client.namespace,
    )
    return _one(client, f"experiment '{name}'", named(found, name))


def server_version(client: Client) -> tuple[int, int] | None:
    """The installation's version, such as (2, 16); None where it does not say, as a build of one's own."""
    answer = asked(
        client,
        "which version of Kubeflow Pipelines is there",
        # The client's model of the answer leaves the version out (`tag_name`, backend/src/apiserver/main.go).
        lambda: client.health.healthz_service_get_healthz(_preload_content=False),
    )
    found = re.match(r"(\d+)\.(\d+)\.", str(json.loads(answer.data).get("tag_name", "")))
    return (int(found[1]), int(found[2])) if found else None


def runs_under_way(client: Client, recurring_run_id: str, experiment_id: str) -> list[Any]:
    """The runs that a recurring run has started and that have not ended."""
    found = all_pages(
        client,
        f"looking for runs of the recurring run {recurring_run_id}",
        "runs",
        client.runs.run_service_list_runs,
        experiment_id=experiment_id,
        sort_by="created_at desc",
    )
    return [run for run in found if run.recurring_run_id == recurring_run_id and run.state not in ENDED]


def create_run(client: Client, run: api.V2beta1Run) -> str:
    """Starts the run, once; its name must be no other's. Returns its id."""
    what = f"starting the run '{run.display_name}'"

    def find() -> Any | None:
        found = all_pages(
            client,
            f"looking for the run '{run.display_name}'",
            "runs",
            client.runs.run_service_list_runs,
            filter=filter_by("display_name", run.display_name),
            experiment_id=run.experiment_id,
        )
        return next(iter(named(found, run.display_name)), None)

    started = made(client, what, find, lambda: client.runs.run_service_create_run(run))
    return _identity(client, what, started.run_id)


def _client(
    configuration: api.Configuration,
    access: Access,
    namespace: str | None,
    seconds: tuple[float, float],
    waits: tuple[float, ...],
) -> Client:
    connection = _ApiClient(configuration)
    connection.seconds = seconds
    return Client(
        access,
        namespace,
        api.PipelineServiceApi(connection),
        api.PipelineUploadServiceApi(connection),
        api.ExperimentServiceApi(connection),
        api.RunServiceApi(connection),
        api.RecurringRunServiceApi(connection),
        api.HealthzServiceApi(connection),
        waits,
    )


def _configuration(access: Access) -> api.Configuration:
    configuration = api.Configuration()
    if access.ca_file is not None:
        configuration.ssl_ca_cert = str(access.ca_file)
    if access.host is not None:
        configuration.host = access.host
        if access.token:
            configuration.api_key["authorization"] = access.token
            configuration.api_key_prefix["authorization"] = "Bearer"
    else:
        _load_kubeconfig(access, configuration)
    # What may be done twice is decided here; and a token must not follow a redirection to another host.
    configuration.retries = False
    return configuration


def _load_kubeconfig(access: Access, configuration: api.Configuration) -> None:
    import kubernetes

    try:
        kubernetes.config.load_kube_config(client_configuration=configuration, context=access.kube_context)
    except kubernetes.config.ConfigException as error:
        raise ConfigError(f"--kube-context {access.kube_context}: {error}") from error
    path = f"api/v1/namespaces/{access.kfp_namespace}/services/ml-pipeline:http/proxy"
    host = f"{configuration.host.rstrip('/')}/{path}"
    load = configuration.refresh_api_key_hook

    def refresh(given: api.Configuration) -> None:
        # It renews the credentials, and with them sets the cluster's own address and itself again.
        load(given)
        given.host, given.refresh_api_key_hook = host, refresh

    configuration.host = host
    if load is not None:
        configuration.refresh_api_key_hook = refresh


def _one(client: Client, what: str, found: list[T]) -> T | None:
    if len(found) > 1:
        raise JanusError(f"{client.access.name} has {len(found)} of the {what}: delete or rename all but one")
    return found[0] if found else None


def _identity(client: Client, what: str, identity: str | None) -> str:
    if not identity:
        raise JanusError(f"{what}: the answer of {client.access.name} has no id")
    return identity


def _explained(client: Client, what: str, error: api.ApiException) -> JanusError:
    status, name = error.status or 0, client.access.name
    said = _said(error)
    if status == 0 and "SSL" not in str(error.reason):
        return UnansweredError(f"{what}: the answer of {name} cannot be understood: {said}")
    if status == 0:
        return ConfigError(
            f"{what}: {name} does not prove who it is: {said}. For a certificate of your own authority give --ca-file"
        )
    if status == 401 or _is_unauthenticated(error):
        return RefusedError(f"{what}: {name} does not know who asks ({status}): {_about_token(client, error)}", status)
    if status == 403:
        return RefusedError(
            f"{what}: {name} does not allow it (403){_in(client)}: {said}. The token's account needs the right, or "
            "kubeflow.namespace is another's",
            status,
        )
    if 300 <= status < 400:
        return RefusedError(
            f"{what}: {name} sends us elsewhere ({status}), as to a login: give a token by {TOKEN} or --token-file",
            status,
        )
    if status == 404 and not _is_of_kfp(error):
        return RefusedError(
            f"{what}: {name} has no API of Kubeflow Pipelines v2 there (404): a user interface's address may need "
            "/pipeline at its end",
            status,
        )
    if status in (408, 429) or status >= 500:
        return UnansweredError(f"{what}: {name} is busy or broken ({status}): {said}")
    return RefusedError(f"{what}: {name} refuses it ({status}): {said}", status)


def _about_token(client: Client, error: api.ApiException) -> str:
    if client.access.host is None:
        return "the kubeconfig's credentials are refused; log in to the cluster again"
    if client.access.token is None:
        return f"no token was given; give one by {TOKEN} or --token-file"
    ends = expiry(client.access.token)
    now = datetime.now(UTC)
    clock = _server_clock(error) or now
    skew = ""
    if abs((clock - now).total_seconds()) > SKEW_SECONDS:
        skew = f". This machine's clock and the server's differ by {abs((clock - now).total_seconds()):.0f} s"
    # By the server's clock: it is the one that refused.
    if ends is not None and ends <= clock:
        return f"the token expired at {ends:%Y-%m-%d %H:%M:%S} UTC; get a new one{skew}"
    return f"the token is refused; get a new one, of the audience that the server expects{skew}"


def _server_clock(error: api.ApiException) -> datetime | None:
    date = (error.headers or {}).get("Date")
    try:
        return parsedate_to_datetime(date) if date else None
    except ValueError:
        return None


def _in(client: Client) -> str:
    return f" in the namespace {client.namespace}" if client.namespace else ""


def _body(error: api.ApiException) -> dict[str, Any]:
    try:
        content = json.loads(error.body or "")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _is_of_kfp(error: api.ApiException) -> bool:
    body = _body(error)
    # A gateway says the code 5 too, of a path that it does not know.
    return ("message" in body or "error" in body or "error_message" in body) and body.get("message") != "Not Found"


def _is_unauthenticated(error: api.ApiException) -> bool:
    """Of gRPC's code 16, which some installations send with the HTTP status 400."""
    return _body(error).get("code") == 16 or "Unauthenticated" in str(_body(error).get("error_message", ""))


def _said(error: api.ApiException) -> str:
    body = _body(error)
    text = (
        body.get("message")
        or body.get("error_message")
        or body.get("error")
        or error.body
        or error.reason
        or "no reason given"
    )
    text = " ".join(str(text).split())
    return text if len(text) <= MAX_MESSAGE else f"{text[:MAX_MESSAGE]}…"


def _reason(error: BaseException) -> str:
    """The innermost cause's words: urllib3 wraps them in objects' addresses."""
    cause: BaseException = error
    while (inner := getattr(cause, "reason", None) or cause.__cause__) is not None and isinstance(inner, BaseException):
        cause = inner
    return " ".join(str(cause).rpartition(">: ")[2].split()) or type(cause).__name__
