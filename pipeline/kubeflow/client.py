"""Kubeflow Pipelines' API v2beta1, by KFP's own client: time limits, retries that make nothing twice, clear errors.

Every request raises what `pipeline.kubeflow.api_errors.explained` says.
"""

import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import kfp_server_api as api

from janus_core.errors import ConfigError, JanusError
from pipeline.kubeflow.access import Access
from pipeline.kubeflow.api_errors import RefusedError, UnansweredError, explained

LOG = logging.getLogger(__name__)

CONNECT_SECONDS, ANSWER_SECONDS = 10.0, 60.0
WAITS = (1.0, 3.0, 9.0)
"""Seconds before each further attempt."""

MAX_PAGES = 100
PAGE_SIZE = 100
EQUALS = 1
ENDED = ("SUCCEEDED", "SKIPPED", "FAILED", "CANCELED")
"""The states of runs that have ended; a run in any other state, or in none, is under way."""

T = TypeVar("T")


@dataclass(frozen=True)
class Client:
    """The services of an installation; `namespace` is None unless it is of several users.

    Before each further attempt at a request, it waits for `waits` seconds; for runs that are under way, `wait_seconds`.
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
    """Connects to an installation, and checks that it answers; connecting, and an answer, may take `seconds`.

    Raises:
        ConfigError: the kubeconfig does not have the context, or the installation needs a namespace.
    """
    connection = _ApiClient(_configuration(access))
    connection.seconds = seconds
    client = Client(
        access=access,
        namespace=namespace,
        pipelines=api.PipelineServiceApi(connection),
        uploads=api.PipelineUploadServiceApi(connection),
        experiments=api.ExperimentServiceApi(connection),
        runs=api.RunServiceApi(connection),
        recurring_runs=api.RecurringRunServiceApi(connection),
        health=api.HealthzServiceApi(connection),
        waits=waits,
    )
    health = ask(client, "whether Kubeflow Pipelines is there", client.health.healthz_service_get_healthz)
    if health.multi_user and not namespace:
        raise ConfigError(f"Kubeflow Pipelines at {access.name} is a multi-user installation: set kubeflow.namespace")
    if namespace and health.multi_user is False:
        # A single-user server refuses requests that name one.
        LOG.info("Kubeflow Pipelines at %s is a single-user installation: kubeflow.namespace is not used", access.name)
        return replace(client, namespace=None)
    return client


def ask(client: Client, what: str, request: Callable[[], T]) -> T:
    """The answer to a request that may safely be repeated; it is repeated after a failure that may be temporary."""
    for wait in (*client.waits, None):
        try:
            with explained(client.access, client.namespace, what):
                return request()
        except UnansweredError as error:
            if wait is None:
                raise
            LOG.warning("%s; asked again in %g s", error, wait)
            time.sleep(wait)
    raise AssertionError("the last attempt returns or raises")


def find_or_create(client: Client, what: str, key: str, find: Callable[[], Any], create: Callable[[], Any]) -> Any:
    """What `find` returns, or else what `create` makes: after a lost answer it looks again before it creates again.

    Raises:
        JanusError: the server gave no id, the attribute `key`, to what was created.
    """
    for wait in (*client.waits, None):
        existing = find()
        if existing is not None:
            return existing
        try:
            with explained(client.access, client.namespace, what):
                created = create()
            if not getattr(created, key):
                raise JanusError(f"{what}: the answer of {client.access.name} has no id")
            return created
        except UnansweredError as error:
            if wait is None:
                raise
            LOG.warning("%s; looked for, and asked again, in %g s", error, wait)
            time.sleep(wait)
        except RefusedError as error:
            # Somebody else has created it in the meantime.
            existing = find() if error.status == 409 else None
            if existing is None:
                raise
            return existing
    raise AssertionError("the last attempt returns or raises")


def listed(client: Client, what: str, key: str, method: Callable[..., Any], **query: Any) -> Iterator[Any]:
    """The items of a list, each page asked for when it is needed; `key` is theirs in the answer of `method`."""
    given = {"page_size": PAGE_SIZE, **{name: value for name, value in query.items() if value is not None}}
    for _ in range(MAX_PAGES):
        answer = ask(client, what, partial(method, **given))
        yield from getattr(answer, key) or []
        if not answer.next_page_token:
            return
        given["page_token"] = answer.next_page_token


def all_named(client: Client, what: str, key: str, method: Callable[..., Any], name: str, **query: Any) -> list[Any]:
    """The items of a list that have exactly this name; the arguments are those of `listed`."""
    by_name = json.dumps({"predicates": [{"operation": EQUALS, "key": "display_name", "stringValue": name}]})
    found = listed(client, f"looking for the {what} '{name}'", key, method, filter=by_name, **query)
    # KFP's filters may not distinguish upper and lower case.
    return [item for item in found if item.display_name == name]


def ensure_pipeline(client: Client, name: str, description: str) -> str:
    """The id of the pipeline, which is created without versions if there is none."""
    model = api.V2beta1Pipeline(display_name=name, description=description, namespace=client.namespace)
    if "name" in model.openapi_types:
        # Servers from 2.5 on have a name besides the displayed one.
        model.name = name
    pipeline = find_or_create(
        client,
        f"creating the pipeline '{name}'",
        "pipeline_id",
        lambda: _one(client, f"pipeline '{name}'", find_pipelines(client, name)),
        lambda: client.pipelines.pipeline_service_create_pipeline(model),
    )
    return str(pipeline.pipeline_id)


def find_pipelines(client: Client, name: str) -> list[Any]:
    """The pipelines of the name, of which there should be one."""
    method = client.pipelines.pipeline_service_list_pipelines
    return all_named(client, "pipeline", "pipelines", method, name, namespace=client.namespace)


def ensure_version(client: Client, pipeline_id: str, name: str, yaml: Path, description: str) -> str:
    """The id of the pipeline's version; the YAML is uploaded if there is none of this name."""
    versions = partial(client.pipelines.pipeline_service_list_pipeline_versions, pipeline_id)
    version = find_or_create(
        client,
        f"uploading the version '{name}'",
        "pipeline_version_id",
        lambda: next(iter(all_named(client, "version", "pipeline_versions", versions, name)), None),
        lambda: client.uploads.upload_pipeline_version(
            str(yaml), name=name, pipelineid=pipeline_id, description=description
        ),
    )
    return str(version.pipeline_version_id)


def ensure_experiment(client: Client, name: str) -> str:
    """The id of the experiment, which is created if there is none.

    Raises:
        ConfigError: it is archived, and takes no runs.
    """
    model = api.V2beta1Experiment(display_name=name, namespace=client.namespace)
    experiment = find_or_create(
        client,
        f"creating the experiment '{name}'",
        "experiment_id",
        lambda: find_experiment(client, name),
        lambda: client.experiments.experiment_service_create_experiment(model),
    )
    if experiment.storage_state == "ARCHIVED":
        raise ConfigError(f"kubeflow.experiment '{name}' is archived: restore it, or choose another")
    return str(experiment.experiment_id)


def find_experiment(client: Client, name: str) -> Any | None:
    """The experiment; None if there is none."""
    method = client.experiments.experiment_service_list_experiments
    experiments = all_named(client, "experiment", "experiments", method, name, namespace=client.namespace)
    return _one(client, f"experiment '{name}'", experiments)


def server_version(client: Client) -> tuple[int, int] | None:
    """The installation's version, such as (2, 16); None where it does not report one, as a build of one's own."""
    answer = ask(
        client,
        "which version of Kubeflow Pipelines is there",
        # The client's model of the answer leaves the version out (`tag_name`, backend/src/apiserver/main.go).
        lambda: client.health.healthz_service_get_healthz(_preload_content=False),
    )
    match = re.match(r"(\d+)\.(\d+)\.", str(json.loads(answer.data).get("tag_name", "")))
    return (int(match[1]), int(match[2])) if match else None


def newest_runs(client: Client, what: str, experiment_id: str) -> Iterator[Any]:
    """An experiment's runs, newest first."""
    method = client.runs.run_service_list_runs
    return listed(client, what, "runs", method, experiment_id=experiment_id, sort_by="created_at desc")


def create_run(client: Client, run: api.V2beta1Run) -> str:
    """Starts the run, once; its name must be no other's. Returns its id."""
    method = client.runs.run_service_list_runs
    named = partial(all_named, client, "run", "runs", method, run.display_name, experiment_id=run.experiment_id)
    started = find_or_create(
        client,
        f"starting the run '{run.display_name}'",
        "run_id",
        lambda: next(iter(named()), None),
        lambda: client.runs.run_service_create_run(run),
    )
    return str(started.run_id)


def _one(client: Client, what: str, items: list[T]) -> T | None:
    if len(items) > 1:
        raise JanusError(f"{client.access.name} has {len(items)} of the {what}: delete or rename all but one")
    return items[0] if items else None


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
