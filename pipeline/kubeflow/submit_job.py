"""`janus kubeflow submit`."""

import json
import secrets
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.config import JanusConfig
from pipeline.kubeflow.access import Access
from pipeline.kubeflow.bundle import required
from pipeline.kubeflow.submission import (
    Submission,
    as_json,
    bundle_notes,
    compiled,
    pipeline_name,
    run_body,
)

if TYPE_CHECKING:
    from pipeline.kubeflow.client import Client


@dataclass(frozen=True)
class Uploaded:
    """The ids of what a run needs.

    Attributes:
        pipeline: the pipeline's.
        version: the version's.
        experiment: the experiment's.
    """

    pipeline: str
    version: str
    experiment: str


def run_submit_job(
    config: JanusConfig,
    access: Access,
    parameters: Sequence[str] = (),
    dry_run: bool = False,
    verbose: bool = False,
) -> int:
    """Uploads what was not uploaded yet, starts a run, and returns the exit code.

    Args:
        config: as the user wrote it.
        access: where Kubeflow Pipelines is.
        parameters: NAME=VALUE, of the pipeline's inputs.
        dry_run: print what would be sent, and send nothing.
        verbose: whether the libraries' logs are shown.

    Raises:
        ConfigError: the configuration, a parameter, the host or the credentials are wrong.
        JanusError: Kubeflow Pipelines refuses it, or does not answer.
    """
    from pipeline.kubeflow.client import connect, create_run

    # Before the pipeline is compiled, which takes half a minute.
    pipeline_name(config)
    client = None if dry_run else connect(access, required(config).namespace)
    with compiled(config, parameters, verbose) as submission:
        # By this name a run is found again whose answer was lost; KFP's names of runs need not be unique.
        name = f"{submission.pipeline} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} {secrets.token_hex(4)}"
        if client is None:
            ids = placeholders(submission)
            run = run_body(submission, name, ids.pipeline, ids.version, ids.experiment)
            print_request(config, access, submission, "run", run)
            return 0
        ids = upload(client, submission)
        run_id = create_run(client, run_body(submission, name, ids.pipeline, ids.version, ids.experiment))
    print(f"run {run_id} started: {name}")
    if access.host:
        print(f"{access.host}/#/runs/details/{run_id}")
    tell_what_it_is(config, submission, ids)
    return 0


def upload(client: "Client", submission: Submission) -> Uploaded:
    """Makes the pipeline, its version and the experiment, each unless it is there.

    Raises:
        JanusError: Kubeflow Pipelines refuses it, or does not answer.
    """
    from pipeline.kubeflow.client import ensure_experiment, ensure_pipeline, ensure_version

    pipeline_id = ensure_pipeline(client, submission.pipeline, f"Janus pipeline {submission.pipeline}")
    description = f"Needs the bundle with the digest {submission.digest}"
    version_id = ensure_version(client, pipeline_id, submission.version, submission.yaml, description)
    return Uploaded(pipeline_id, version_id, ensure_experiment(client, submission.experiment))


def placeholders(submission: Submission) -> Uploaded:
    """What stands for the ids that the server gives."""
    return Uploaded(
        f"<id of pipeline {submission.pipeline}>",
        f"<id of version {submission.version}>",
        f"<id of experiment {submission.experiment}>",
    )


def print_request(config: JanusConfig, access: Access, submission: Submission, kind: str, body: Any) -> None:
    """Prints what would be sent, as JSON; which bundle the image must hold goes to stderr."""
    request = {
        "server": access.name,
        "namespace": required(config).namespace,
        "pipeline": submission.pipeline,
        "version": submission.version,
        "bundle_digest": submission.digest,
        kind: as_json(body),
    }
    print(json.dumps(request, indent=2, ensure_ascii=False))
    for note in bundle_notes(config, submission.digest):
        print(note, file=sys.stderr)


def tell_what_it_is(config: JanusConfig, submission: Submission, ids: Uploaded) -> None:
    """Says what was uploaded, and which bundle the image must hold."""
    print(f"version {submission.version} (id {ids.version}) of pipeline {submission.pipeline} (id {ids.pipeline})")
    print(f"as service account {submission.service_account}, in experiment {submission.experiment}")
    for note in bundle_notes(config, submission.digest):
        print(note, file=sys.stderr if note.startswith("warning") else sys.stdout)
