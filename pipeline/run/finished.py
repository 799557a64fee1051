"""Whether the last run already did what the next one would do, by its records in ML Metadata."""

from dataclasses import dataclass

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from components.example_gen.parameters import SETTINGS_PROPERTY
from components.pusher.layout import join
from components.pusher.rollback import CONTENT_DIGEST
from components.pusher.versions import digest_of, versions
from pipeline.lineage.store import CONTEXT_RUN, artifacts_of_type, executions_of_run

DIGEST_PROPERTY = "janus_inputs"
"""Custom property of a run's context: the digest of the inputs of a run that pushed its model."""

_SPAN, _EXAMPLES = "span", "Examples"


@dataclass(frozen=True)
class FinishedRun:
    """A run that pushed its model."""

    run_id: str
    pushed: str


def record_inputs(store: MetadataStore, run_id: str, digest: str) -> None:
    """Keeps the digest of what a run that pushed its model was made from.

    Raises:
        ValueError: there is no such run.
    """
    context = store.get_context_by_type_and_name(CONTEXT_RUN, run_id)
    if context is None:
        raise ValueError(f"ML Metadata knows no run {run_id}")
    context.custom_properties[DIGEST_PROPERTY].string_value = digest
    store.put_contexts([context])


def finished_with(store: MetadataStore, digest: str, push_path: str) -> FinishedRun | None:
    """The last run, if it was made from inputs of this very digest, and what it pushed is still the newest version.

    A later run of any kind and outcome, a version that is gone or damaged, or one that a rollback published since: then
    there may be something to do, and TFX's cache decides what.
    """
    run = max(_runs(store), key=lambda context: context.id, default=None)
    if run is None or run.custom_properties[DIGEST_PROPERTY].string_value != digest:
        return None
    pusher = executions_of_run(store, run.name).get("Pusher")
    pushed = pusher.output("pushed_model") if pusher else None
    if pushed is None or pushed.properties.get("pushed") != 1:
        return None
    present = versions(push_path)
    destination = str(pushed.properties["pushed_destination"])
    if not present or join(push_path, present[-1]) != destination:
        return None
    if digest_of(push_path, present[-1]) != pushed.properties.get(CONTENT_DIGEST):
        return None
    return FinishedRun(run.name, destination)


def newest_ingested(store: MetadataStore) -> int | None:
    """The highest number of a span that any run ingested; None if there is none."""
    found = [artifact.custom_properties for artifact in artifacts_of_type(store, _EXAMPLES)]
    return max((span[_SPAN].int_value for span in found if SETTINGS_PROPERTY in span), default=None)


def _runs(store: MetadataStore) -> list[pb.Context]:
    # Asked for the contexts of a type that it does not know, ML Metadata fails.
    known = [kind.name for kind in store.get_context_types()]
    return list(store.get_contexts_by_type(CONTEXT_RUN)) if CONTEXT_RUN in known else []
