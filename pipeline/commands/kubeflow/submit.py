"""`janus kubeflow submit`: uploads the pipeline and starts a run."""

import json
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from pipeline.config import JanusConfig
from pipeline.kubeflow.access import Access
from pipeline.kubeflow.bundle import required
from pipeline.kubeflow.client import Client, connect, create_run
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
    config: JanusConfig, access: Access, parameters: Sequence[str] = (), dry_run: bool = False, verbose: bool = False
) -> int:
    """Uploads what was not uploaded yet, starts a run, and returns the exit code."""
    with uploaded(config, access, parameters, dry_run, verbose) as (client, submission, ids):
        # A unique name, which KFP does not require: by it a run is found again if the answer to its start was lost.
        name = f"{submission.pipeline} {datetime.now(UTC):%Y-%m-%d %H:%M:%S} {secrets.token_hex(4)}"
        body = run_body(submission, name, ids)
        if client is None:
            print_request(config, access, submission, "run", body)
            return 0
        run_id = create_run(client, body)
    print(f"run {run_id} started: {name}")
    if access.host:
        print(f"{access.host}/#/runs/details/{run_id}")
    print_submission(config, submission, ids)
    return 0


@contextmanager
def uploaded(
    config: JanusConfig, access: Access, parameters: Sequence[str], dry_run: bool, verbose: bool
) -> Iterator[tuple[Client | None, Submission, Ids]]:
    """Compiles, and uploads what was not uploaded yet; a dry run has no client, and placeholders for the server's ids.

    Raises:
        ConfigError: the configuration, a parameter, the host or the credentials are wrong.
        JanusError: Kubeflow Pipelines refuses it, or does not answer.
    """
    # Before the pipeline is compiled, which takes half a minute.
    pipeline_name(config)
    client = None if dry_run else connect(access, required(config).namespace)
    with compiled(config, parameters, verbose) as submission:
        if client is not None:
            yield client, submission, upload(client, submission)
            return
        names = ("pipeline", "version", "experiment")
        yield None, submission, Ids(*(f"<id of {name} {getattr(submission, name)}>" for name in names))


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
