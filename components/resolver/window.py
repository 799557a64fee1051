"""The strategy of the WindowResolver: the examples of the newest spans."""

import json
from collections.abc import Iterable

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.components.example_gen.utils import SPAN_PROPERTY_NAME
from tfx.dsl.components.common.resolver import ResolverStrategy
from tfx.dsl.io import fileio
from tfx.types import Artifact

from components.artifacts import Artifacts
from components.example_gen.parameters import COLUMNS_PROPERTY, SETTINGS_PROPERTY
from components.intact import damage_of
from janus_core.progress import PROGRESS

EXAMPLES, NEWEST = "examples", "newest"


class NewestSpans(ResolverStrategy):
    """Resolves `examples` to one artifact per span, newest span first: `newest` and the spans before it.

    TFX's SpanRangeStrategy counts numbers instead of spans, so that monthly spans, which TFX numbers by days, would
    never be joined; of a span that was ingested twice it takes both artifacts; and it takes examples that were split
    otherwise, or that the anomaly gate rejected.

    `examples` may hold any: what ArrowExampleGen did not write, such as transformed examples, is ignored.
    """

    def __init__(self, spans: int, gate: str):
        """`spans`: how many, including `newest`; `gate`: the type of the AnomalyGate that the earlier ones passed."""
        self._spans = spans
        self._gate = gate

    def resolve_artifacts(self, store: MetadataStore, input_dict: Artifacts) -> Artifacts:
        """Called by TFX; logs to `janus.progress` which spans are trained on, and why not more of them."""
        (newest,) = input_dict[NEWEST]
        chosen, left_out = [newest], {}
        for span, candidates in _earlier_spans(input_dict[EXAMPLES], newest):
            if len(chosen) == self._spans:
                break
            reasons = [self._reason_against(artifact, newest, store) for artifact in candidates]
            if None in reasons:
                chosen.append(candidates[reasons.index(None)])
            else:
                left_out[span] = reasons[0]
        _announce(self._spans, chosen, left_out)
        return {EXAMPLES: chosen, NEWEST: [newest]}

    def _reason_against(self, artifact: Artifact, newest: Artifact, store: MetadataStore) -> str | None:
        """Why it must not be trained on together with the newest; None if it may be."""
        if _settings(artifact) != _settings(newest):
            return "ingested with other settings"
        lacking = _lacking_columns(artifact, newest)
        if lacking:
            return f"ingested without {', '.join(lacking)}; `--span {span_of(artifact)}` ingests it again"
        if not passed_anomaly_gate(store, artifact.id, self._gate):
            return f"not passed by {self._gate.rpartition('.')[2]}"
        damaged = damage_of(artifact)
        if damaged:
            return f"damaged: {damaged}; `--span {span_of(artifact)}` ingests it again"
        return None if fileio.exists(artifact.uri) else "its files are gone"


def span_of(artifact: Artifact) -> int:
    """The span's number; old versions of TFX keep it as text."""
    text = artifact.get_string_custom_property(SPAN_PROPERTY_NAME)
    return int(text) if text else artifact.get_int_custom_property(SPAN_PROPERTY_NAME)


def _settings(artifact: Artifact) -> str:
    return str(artifact.get_string_custom_property(SETTINGS_PROPERTY))


def _lacking_columns(artifact: Artifact, newest: Artifact) -> list[str]:
    """The columns of the newest that were not ingested, quoted; none where all of the table's were."""
    mine, wanted = (a.get_string_custom_property(COLUMNS_PROPERTY) for a in (artifact, newest))
    if not mine or not wanted:
        return []
    return [f"'{column}'" for column in sorted({*json.loads(wanted)} - {*json.loads(mine)})]


def _earlier_spans(examples: Iterable[Artifact], newest: Artifact) -> list[tuple[int, list[Artifact]]]:
    """The spans before the newest one, last span first, each with its artifacts, last ingested first."""
    spans: dict[int, list[Artifact]] = {}
    ingested = [artifact for artifact in examples if artifact.has_custom_property(SETTINGS_PROPERTY)]
    for artifact in sorted(ingested, key=lambda artifact: artifact.id, reverse=True):
        if span_of(artifact) < span_of(newest):
            spans.setdefault(span_of(artifact), []).append(artifact)
    return sorted(spans.items(), reverse=True)


def _announce(wanted: int, chosen: list[Artifact], left_out: dict[int, str | None]) -> None:
    spans = ", ".join(str(span_of(artifact)) for artifact in chosen)
    reasons = [f"span {span} is left out ({reason})" for span, reason in left_out.items()]
    if len(chosen) == wanted:
        PROGRESS.info("%s", "; ".join([f"training on spans {spans}", *reasons]))
        return
    reasons.append("earlier runs of this pipeline ingested no others")
    PROGRESS.info("training on %d of %d spans: %s; %s", len(chosen), wanted, spans, "; ".join(reasons))


_PASSED = (pb.Execution.COMPLETE, pb.Execution.CACHED)


def passed_anomaly_gate(store: MetadataStore, examples_id: int, gate_type: str) -> bool:
    """Whether the anomaly gate passed the examples, the last time that it saw their statistics.

    `gate_type` is the name of its execution type: it reads statistics that another component made from the examples.
    """
    readers = _readers(store, [examples_id])
    made = [event.artifact_id for event in store.get_events_by_execution_ids(readers) if event.type == pb.Event.OUTPUT]
    executions = store.get_executions_by_id(_readers(store, made))
    gates = [execution for execution in executions if _type_name(store, execution) == gate_type]
    last = max(gates, key=lambda execution: execution.id, default=None)
    return last is not None and last.last_known_state in _PASSED


def _readers(store: MetadataStore, artifact_ids: Iterable[int]) -> list[int]:
    events = store.get_events_by_artifact_ids(list(artifact_ids))
    return sorted({event.execution_id for event in events if event.type == pb.Event.INPUT})


def _type_name(store: MetadataStore, execution: pb.Execution) -> str:
    (kind,) = store.get_execution_types_by_id([execution.type_id])
    return str(kind.name)
