"""`janus kubeflow submit`: uploads the pipeline and starts a run."""

import json
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.config import JanusConfig
from pipeline.kubeflow.access import Access
from pipeline.kubeflow.bundle import required
from pipeline.kubeflow.client import connect, create_run
from pipeline.kubeflow.submission import (
    Ids,
    Submission,
    as_json,
    bundle_notes,
    compiled,
    pipeline_name,
    run_body,
    upload,
)


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
    # Before the pipeline is compiled, which takes half a minute.
    pipeline_name(config)
    client = None if dry_run else connect(access, required(config).namespace)
    with compiled(config, parameters, verbose) as submission:
        # A unique name, which KFP does not require: by it a run is found again if the answer to its start was lost.
        name = f"{submission.pipeline} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} {secrets.token_hex(4)}"
        if client is None:
            ids = placeholders(submission)
            print_request(config, access, submission, "run", run_body(submission, name, ids))
            return 0
        ids = upload(client, submission)
        run_id = create_run(client, run_body(submission, name, ids))
    print(f"run {run_id} started: {name}")
    if access.host:
        print(f"{access.host}/#/runs/details/{run_id}")
    print_submission(config, submission, ids)
    return 0


def placeholders(submission: Submission) -> Ids:
    """In the place of the ids that the server would give."""
    return Ids(
        f"<id of pipeline {submission.pipeline}>",
        f"<id of version {submission.version}>",
        f"<id of experiment {submission.experiment}>",
    )


def print_request(config: JanusConfig, access: Access, submission: Submission, kind: str, body: Any) -> None:
    """Prints what would be sent, as JSON; the notes about the bundle go to stderr."""
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


def print_submission(config: JanusConfig, submission: Submission, ids: Ids) -> None:
    """Prints what was uploaded, and which bundle the image must hold."""
    print(f"version {submission.version} (id {ids.version}) of pipeline {submission.pipeline} (id {ids.pipeline})")
    print(f"as service account {submission.service_account}, in experiment {submission.experiment}")
    for note in bundle_notes(config, submission.digest):
        print(note, file=sys.stderr if note.startswith("warning") else sys.stdout)
