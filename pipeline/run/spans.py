"""Which span a run takes and what it is made from; before it, within a second: whether it may, and has anything new."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from janus_core.errors import ConfigError, JanusError
from janus_core.fingerprint import folder_fingerprint
from janus_core.packages import PACKAGES, ROOT
from janus_core.tables.files import file_state, find_files, list_spans, split_path
from janus_core.tables.spans import Span, choose_span, has_spans
from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.preflight import check_metadata
from pipeline.report.report_json import janus_version, stack_versions

if TYPE_CHECKING:
    from pipeline.run.finished import FinishedRun


@dataclass(frozen=True)
class Inputs:
    """What a run of spans is made from.

    Attributes:
        span: the span that it ingests or, with a split by span, evaluates.
        digest: of everything; where it is the same, TFX's cache would find nothing to do.
    """

    span: Span
    digest: str


def inputs_of(config: JanusConfig, span: int | None = None) -> Inputs | None:
    """What a run on a span, None: the newest, would be made from now; None for data without spans.

    Raises:
        DataError: there is no such span, or none to train on.
    """
    base, pattern = split_path(config.data)
    if not has_spans(pattern):
        return None
    chosen = choose_span(list_spans(base, pattern), config.data, span)
    content: dict[str, Any] = {
        # Not sorted: the order of features and tasks has a meaning.
        "config": config.model_dump_json(by_alias=True),
        "schema": Path(config.schema_).read_text(encoding="utf-8", errors="replace") if config.schema_ else None,
        "code": folder_fingerprint(*(ROOT / package for package in PACKAGES)),
        "stack": {"janus": janus_version(), **stack_versions()},
        "files": [[path, *file_state(path)] for path in find_files(config.data, chosen.number)],
    }
    return Inputs(chosen, hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32])


def check_span(config: JanusConfig, home: Home, span: int | None) -> Inputs | None:
    """What the run is made from; None for data without spans.

    Raises:
        DataError: there is no such span, or none to train on.
        ConfigError: the data have no spans, or the weights that training would start from know the span.
    """
    if span is not None and not has_spans(config.data.path):
        raise ConfigError(f"--span: data.path is '{config.data.path}', which has no {{SPAN}}")
    inputs = inputs_of(config, span)
    if inputs is None or not (config.training.warm_start and config.data.by_span and home.has_metadata):
        return inputs
    from pipeline.lineage.store import open_store
    from pipeline.run.finished import newest_ingested

    newest = newest_ingested(open_store(home.metadata))
    if newest is not None and newest > inputs.span.number:
        raise ConfigError(
            f"span {inputs.span} cannot evaluate a model that starts from the last one's weights: a later run trained "
            "on it; start from scratch with --set training.warm_start=false"
        )
    return inputs


def nothing_new(config: JanusConfig, home: Home, span: int | None) -> "tuple[Inputs, FinishedRun] | None":
    """The last run, if the next one would only repeat it; None where that is not certain."""
    if not has_spans(config.data.path) or not home.has_metadata:
        return None
    try:
        check_metadata(home.metadata)
        inputs = inputs_of(config, span)
        from pipeline.lineage.store import open_store
        from pipeline.run.finished import finished_with

        finished = finished_with(open_store(home.metadata), inputs.digest, config.push.path) if inputs else None
    except (JanusError, OSError):
        # The run itself fails in the same way, and reports it.
        return None
    return (inputs, finished) if inputs and finished else None
