"""What is sent to Kubeflow Pipelines: a compiled pipeline, named by its content, and the parameters of its runs."""

import difflib
import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kfp_server_api as api

from janus_core.errors import ConfigError
from pipeline.config import JanusConfig
from pipeline.config.file import with_overrides
from pipeline.config.kubeflow import absolute
from pipeline.config.parameters import input_name
from pipeline.config.secrets import PARAMETER, problems_at
from pipeline.environment import library_output_to
from pipeline.kubeflow.bundle import FOLDER, default_output, digest_of, required, write_bundle
from pipeline.kubeflow.client import Client, ensure_experiment, ensure_pipeline, ensure_version
from pipeline.kubeflow.compile import compile_pipeline, kfp_name
from pipeline.preflight import check_schema_file

HASH_DIGITS = 16
MAX_NAME = 127 - HASH_DIGITS - 1
"""KFP's limit is 127 characters, of a version's name, which is the pipeline's and a hash."""
MAX_EXPERIMENT, MAX_NAMESPACE = 128, 63

ACCOUNT, MULTI_USER_ACCOUNT = "pipeline-runner", "default-editor"
"""The service accounts that KFP's installations come with."""

LEAST = {"epochs": 1, "span": 0}
"""The compiled pipeline's inputs beside data_path, whole numbers, and the least that each may be."""

Parameter = str | int


@dataclass(frozen=True)
class Submission:
    """A compiled pipeline, its names, and what its runs need.

    Attributes:
        version: the name of this content.
        digest: of the bundle that the image, or a volume, must hold.
        parameters: of a run; the others have the pipeline's defaults.
        service_account: that the pods run as.
        root: KFP's pipeline root; None for the installation's own.
    """

    pipeline: str
    version: str
    yaml: Path
    digest: str
    parameters: dict[str, Parameter]
    experiment: str
    service_account: str
    root: str | None


@dataclass(frozen=True)
class Ids:
    """The server's ids of what a run needs."""

    pipeline: str
    version: str
    experiment: str


def pipeline_name(config: JanusConfig) -> str:
    """The pipeline's name in Kubeflow, as it is compiled.

    Raises:
        ConfigError: KFP would reject it, or another name that it would be sent.
    """
    kubeflow = required(config)
    name = kfp_name(config)
    if not re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name) or len(name) > MAX_NAME:
        raise ConfigError(
            f"name: Kubeflow Pipelines takes no pipeline named '{name}' (from '{config.name}'): at most {MAX_NAME} "
            "small letters, digits and hyphens, with a letter first and no hyphen last"
        )
    if not kubeflow.experiment.strip() or len(kubeflow.experiment) > MAX_EXPERIMENT:
        raise ConfigError(f"kubeflow.experiment: give a name of at most {MAX_EXPERIMENT} characters")
    for key in ("namespace", "service_account"):
        value = getattr(kubeflow, key)
        if value is not None and not (re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", value) and len(value) <= 253):
            raise ConfigError(f"kubeflow.{key}: '{value}' is no name in Kubernetes")
    if kubeflow.namespace and len(kubeflow.namespace) > MAX_NAMESPACE:
        raise ConfigError(f"kubeflow.namespace: '{kubeflow.namespace}' is longer than {MAX_NAMESPACE} characters")
    return name


@contextmanager
def compiled(config: JanusConfig, parameters: Sequence[str] = (), verbose: bool = False) -> Iterator[Submission]:
    """Compiles; the file exists until the context ends.

    Raises:
        ConfigError: there is no `kubeflow` section, KFP would reject a name, or there is no such parameter.
        DataError: the curated schema does not fit the configuration.
    """
    kubeflow, name = required(config), pipeline_name(config)
    given = parameters_of(parameters, config)
    check_schema_file(config)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with library_output_to(folder / "log", verbose):
            bundle = write_bundle(config, folder / FOLDER)
            path = compile_pipeline(bundle, folder / "pipeline.yaml")
        content = path.read_bytes()
        yield Submission(
            pipeline=name,
            version=f"{name}-{hashlib.sha256(content).hexdigest()[:HASH_DIGITS]}",
            yaml=path,
            digest=bundle.digest,
            parameters=given,
            experiment=kubeflow.experiment,
            service_account=kubeflow.service_account or (MULTI_USER_ACCOUNT if kubeflow.namespace else ACCOUNT),
            # KFP's launcher writes its own files there, and knows object stores only; TFX's root may be a folder.
            root=kubeflow.pipeline_root if "://" in kubeflow.pipeline_root else None,
        )


def bundle_notes(config: JanusConfig, digest: str) -> list[str]:
    """Lines about the bundle that the image must hold, with a warning if the one that `compile` wrote differs."""
    kubeflow = required(config)
    where = (
        f"the ConfigMap {kubeflow.bundle_config_map}" if kubeflow.bundle_config_map else f"the image {kubeflow.image}"
    )
    notes = [f"{where} must hold the bundle with the digest {digest[:12]} as {kubeflow.bundle}"]
    folder = default_output(config).parent / FOLDER
    try:
        actual = digest_of(folder)
    except FileNotFoundError:
        return [*notes, f"warning: there is no bundle in {folder}: run `janus kubeflow compile`, and build the image"]
    if actual != digest:
        notes.append(
            f"warning: the bundle in {folder} has the digest {actual[:12]}, and an image built with it refuses to run "
            "this: run `janus kubeflow compile`, and build the image again"
        )
    return notes


def parameters_of(texts: Sequence[str], config: JanusConfig) -> dict[str, Parameter]:
    """The values of NAME=VALUE, as the pipeline's inputs have them.

    Raises:
        ConfigError: one is not of this form, holds a secret, the pipeline has no such input, or a value is not of its
            type, or not valid in the configuration.
    """
    keys, settings = required(config).parameters, []
    given: dict[str, Parameter] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        # First, since the other messages repeat what was given.
        if problems := problems_at(f"{PARAMETER} {name}" if sign else PARAMETER, text):
            raise ConfigError("\n".join(problems))
        if not sign or not name:
            raise ConfigError(f"--param '{text}' is not NAME=VALUE")
        if name in given:
            raise ConfigError(f"--param {name} is given twice")
        if name == "data_path":
            try:
                given[name] = absolute(value)
            except ValueError as error:
                raise ConfigError(f"--param {name}: {error}") from None
        elif name in keys:
            settings.append(text)
            given[input_name(name)] = value
        elif name not in LEAST:
            inputs = [*sorted(["data_path", *LEAST]), *keys]
            near = difflib.get_close_matches(name, inputs, n=1)
            hint = f"Did you mean '{near[0]}'?" if near else "A key of the configuration must be in kubeflow.parameters"
            raise ConfigError(f"--param {name}: the pipeline has no such input; it has {', '.join(inputs)}. {hint}")
        elif not re.fullmatch(r"[0-9]+", value) or int(value) < LEAST[name]:
            raise ConfigError(f"--param {name}: '{value}' is no whole number from {LEAST[name]} on")
        else:
            given[name] = int(value)
    with_overrides(config, settings, "with --param, the configuration")
    return given


def upload(client: Client, submission: Submission) -> Ids:
    """Creates the pipeline, its version and the experiment, each unless it exists."""
    pipeline_id = ensure_pipeline(client, submission.pipeline, f"Janus pipeline {submission.pipeline}")
    description = f"Needs the bundle with the digest {submission.digest}"
    version_id = ensure_version(client, pipeline_id, submission.version, submission.yaml, description)
    return Ids(pipeline_id, version_id, ensure_experiment(client, submission.experiment))


def run_body(submission: Submission, name: str, ids: Ids) -> Any:
    """KFP's request to start a run, a V2beta1Run."""
    return api.V2beta1Run(display_name=name, **_content(submission, ids))


def recurring_run_body(submission: Submission, cron: str, ids: Ids) -> Any:
    """KFP's request to start runs by the clock, a V2beta1RecurringRun; never two at once, nor those missed."""
    return api.V2beta1RecurringRun(
        display_name=submission.pipeline,
        description=f"Janus pipeline {submission.pipeline}, version {submission.version}",
        # Without a start time: the server's clock decides, not this machine's.
        trigger=api.V2beta1Trigger(cron_schedule=api.V2beta1CronSchedule(cron=cron)),
        max_concurrency="1",
        no_catchup=True,
        mode="ENABLE",
        **_content(submission, ids),
    )


def as_json(model: Any) -> Any:
    """A model of kfp_server_api as it is sent."""
    return api.ApiClient(api.Configuration()).sanitize_for_serialization(model)


def _content(submission: Submission, ids: Ids) -> dict[str, Any]:
    """What a run and a recurring run have in common."""
    reference = api.V2beta1PipelineVersionReference(pipeline_id=ids.pipeline, pipeline_version_id=ids.version)
    return {
        "experiment_id": ids.experiment,
        "pipeline_version_reference": reference,
        "runtime_config": api.V2beta1RuntimeConfig(parameters=submission.parameters, pipeline_root=submission.root),
        "service_account": submission.service_account,
    }
