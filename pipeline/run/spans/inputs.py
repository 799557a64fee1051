"""All that a run depends on: configuration, schema, code, libraries, and the files of the spans that it reads."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janus_core.fingerprint import folder_fingerprint
from janus_core.packages import PACKAGES, ROOT
from janus_core.tables.files import file_state, find_files, list_spans, split_path
from janus_core.tables.spans import Span, choose_span, has_spans
from pipeline.config import JanusConfig
from pipeline.report.report_json import janus_version, stack_versions


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
    """What a run would be made from now; None for data without spans.

    Args:
        config: the pipeline's.
        span: the span's number; None: the newest.

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
        "schema": Path(config.schema_).read_text(encoding="utf-8") if config.schema_ else None,
        "code": folder_fingerprint(*(ROOT / package for package in PACKAGES)),
        "stack": {"janus": janus_version(), **stack_versions()},
        "files": [[path, *file_state(path)] for path in find_files(config.data, chosen.number)],
    }
    return Inputs(chosen, hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32])
