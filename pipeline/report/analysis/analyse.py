"""Reads a run's artifacts for the report, and lets the exported model predict a sample of the eval split again."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from janus_core.errors import JanusError
from janus_core.fingerprint import digest_of_json, source_fingerprint
from janus_core.kinds import headline_of
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import Analysis

if TYPE_CHECKING:
    from ml_metadata import MetadataStore

    from pipeline.lineage.store import NodeExecution, StoredArtifact

MOST_SLICES = 60
"""At most so many slices of a task, the largest, have intervals; each costs as much as the whole split."""

log = logging.getLogger(__name__)


def analyse(
    config: JanusConfig,
    executions: "Mapping[str, NodeExecution]",
    store: "MetadataStore",
    earlier: Path | None = None,
    progress: Callable[[str], None] = lambda doing: None,
    made: Analysis | None = None,
) -> Analysis:
    """What the report of a run shows beyond report.json.

    A part that cannot be read becomes a note: a report with a gap is better than none.

    Args:
        config: what the run was started with.
        executions: each node's, as far as the run came.
        store: ML Metadata, where they are from.
        earlier: an `analysis.json`, which is used again where its numbers would be the same.
        progress: is called with a description of each step.
        made: a result of `analyse_artifacts`, which is used if it is of the same artifacts.
    """
    from pipeline.report.analysis.run_lineage import lineage_of

    if made and made.key == _key(config, _artifacts(executions)):
        analysis = made
    else:
        analysis = analyse_artifacts(config, executions, earlier, progress)
    _part(analysis, "the lineage", lambda: setattr(analysis, "lineage", lineage_of(store, executions)))
    return analysis


def analyse_artifacts(
    config: JanusConfig,
    executions: "Mapping[str, NodeExecution]",
    earlier: Path | None,
    progress: Callable[[str], None],
) -> Analysis:
    """The same without the lineage, for which a run need not have ended."""
    artifacts = _artifacts(executions)
    key = _key(config, artifacts)
    analysis = _read(earlier, key)
    if analysis is None:
        analysis = Analysis(key=key)
        _part(analysis, "the data's statistics", lambda: _add_data(analysis, config, artifacts))
        _part(analysis, "the baselines", lambda: _add_baselines(analysis, config, artifacts))
        _part(analysis, "the model", lambda: _add_model(analysis, config, artifacts, progress))
    return analysis


def _artifacts(executions: "Mapping[str, NodeExecution]") -> "dict[str, StoredArtifact]":
    from pipeline.lineage.store import output_of

    wanted = {
        "examples": ("ExampleGen", "examples"),
        "statistics": ("StatisticsGen", "statistics"),
        "schema": ("ImportSchemaGen" if "ImportSchemaGen" in executions else "SchemaGen", "schema"),
        "anomalies": ("ExampleValidator", "anomalies"),
        "model": ("Trainer", "model"),
        "baselines": ("Baselines", "predictions"),
    }
    found = {name: output_of(executions, node, key) for name, (node, key) in wanted.items()}
    return {name: artifact for name, artifact in found.items() if artifact is not None}


def _key(config: JanusConfig, artifacts: "Mapping[str, StoredArtifact]") -> str:
    made_of = {
        "artifacts": {name: [artifact.id, artifact.uri] for name, artifact in artifacts.items()},
        "config": config.model_dump(mode="json", include={"seed", "data", "features", "tasks", "evaluation", "report"}),
        "code": source_fingerprint(__name__),
    }
    return digest_of_json(made_of)[:16]


def _read(path: Path | None, key: str) -> Analysis | None:
    if path is None or not path.exists():
        return None
    try:
        analysis = Analysis.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        log.warning("%s cannot be read, and is computed again", path)
        return None
    # An analysis with a note, that something failed or took too long, is made again.
    return analysis if analysis.key == key and not analysis.notes else None


def _part(analysis: Analysis, what: str, add: Callable[[], Any]) -> None:
    try:
        add()
    except Exception as error:
        log.exception("the report lacks %s", what)
        words = str(error) if isinstance(error, JanusError | OSError) else f"{type(error).__name__}: {error}"
        analysis.notes.append(f"{what} cannot be shown: {words}")


def _add_data(analysis: Analysis, config: JanusConfig, artifacts: "Mapping[str, StoredArtifact]") -> None:
    from janus_core.examples.draw import draw_rows
    from pipeline.drift import batches_of
    from pipeline.report.analysis.columns import EVAL, TRAIN, anomalies_of, columns_of
    from pipeline.schema import read_schema

    if "anomalies" in artifacts:
        analysis.anomalies = anomalies_of(artifacts["anomalies"].uri, config.sensitive_columns())
    if "statistics" in artifacts:
        schema = read_schema(Path(artifacts["schema"].uri) / "schema.pbtxt") if "schema" in artifacts else None
        examples, batches = artifacts.get("examples"), {}
        if examples is not None and "://" in examples.uri:
            analysis.notes.append(f"numbers are compared where the examples are on a local disk: not {examples.uri}")
        elif examples is not None:
            for split in (TRAIN, EVAL):
                records = draw_rows(f"{examples.uri}/Split-{split}", config.report.sample, config.seed, True).records
                batches[split] = batches_of(records) if records else []
        analysis.columns = columns_of(artifacts["statistics"].uri, schema, batches, config.sensitive_columns())


def _add_baselines(analysis: Analysis, config: JanusConfig, artifacts: "Mapping[str, StoredArtifact]") -> None:
    from pipeline.report.analysis.baselines import baselines_of

    if "baselines" in artifacts:
        analysis.baselines = baselines_of(config, artifacts["baselines"].uri)


def _add_model(
    analysis: Analysis,
    config: JanusConfig,
    artifacts: "Mapping[str, StoredArtifact]",
    progress: Callable[[str], None],
) -> None:
    if "model" not in artifacts or "examples" not in artifacts:
        return
    if any("://" in artifacts[name].uri for name in ("model", "examples")):
        analysis.notes.append(
            f"curves, intervals and importance are made where the model is on a local disk, this one is at "
            f"{artifacts['model'].uri}"
        )
        return
    from tfx.utils import path_utils

    from serving.saved_model import LoadedModel

    until = time.monotonic() + config.report.time_limit_seconds
    progress("analysing")
    model = LoadedModel(path_utils.serving_model_path(artifacts["model"].uri))
    baselines = artifacts["baselines"].uri if "baselines" in artifacts else None
    split = f"{artifacts['examples'].uri}/Split-eval"
    try:
        _add_predictions(analysis, config, model, split, baselines, until, progress)
    finally:
        model.close()


def _add_predictions(
    analysis: Analysis,
    config: JanusConfig,
    model: Any,
    split: str,
    baselines: str | None,
    until: float,
    progress: Callable[[str], None],
) -> None:
    import numpy as np
    from tensorflow.core.example import example_pb2

    from janus_core.examples.draw import draw_rows
    from pipeline.baselines import gated_metric
    from pipeline.report.analysis.baselines import add_errors
    from pipeline.report.analysis.curves import curves_of
    from pipeline.report.analysis.importance import REPEATS, importances
    from pipeline.report.analysis.sample import part_of, predicted_tasks, slices_of
    from pipeline.report.analysis.shown_rows import shown_rows
    from pipeline.report.analysis.standard_errors import GROUPS, metrics_by_task, standard_errors

    drawn = draw_rows(split, config.report.sample, config.seed)
    records, analysis.read = drawn.records, drawn.read
    analysis.sampled, analysis.jackknife_groups = len(records), GROUPS
    if not records:
        return
    predicted = predicted_tasks(model, records, list(config.tasks))
    examples = [example_pb2.Example.FromString(record) for record in records]
    analysis.shown = shown_rows(config, examples, predicted)
    slices = slices_of(examples, config.evaluation.slices)
    largest = sorted(slices, key=lambda name: (-len(slices[name]), name))[:MOST_SLICES]
    metrics = metrics_by_task(config)
    groups = np.random.default_rng(config.seed).integers(0, GROUPS, len(records))
    for name, labelled in predicted.items():
        progress(f"analysing {name}")
        task = curves_of(config.tasks[name], labelled)
        task.errors = standard_errors(metrics[name], list(metrics[name]), labelled, groups[labelled.rows])
        shown = list(dict.fromkeys([headline_of(config.tasks[name]).name, *config.evaluation.gated(name)]))
        for of_slice in largest:
            inside = part_of(labelled, slices[of_slice])
            task.slice_rows[of_slice] = len(inside.rows)
            if len(inside.rows):
                errors = standard_errors(metrics[name], shown, inside, groups[inside.rows])
                task.slice_errors[of_slice] = errors
        analysis.tasks[name] = task
    if baselines is not None:
        _part(
            analysis,
            "the intervals of the baselines",
            lambda: add_errors(analysis.baselines, config, baselines, predicted, drawn.places, groups),
        )
    if not config.report.importance_rows:
        return
    count = min(config.report.importance_rows, len(records))
    chosen = np.sort(np.random.default_rng(config.seed).choice(len(records), count, replace=False))
    few = {name: part_of(labelled, chosen) for name, labelled in predicted.items()}
    few = {name: labelled for name, labelled in few.items() if len(labelled.rows)}
    # The rows' places are among those chosen now.
    few = {name: replace(labelled, rows=np.searchsorted(chosen, labelled.rows)) for name, labelled in few.items()}
    used = {name: metrics[name][gated_metric(config, name, decided=True).name] for name in few}
    columns = config.feature_columns()
    importance, skipped = importances(
        model, [examples[row] for row in chosen], few, used, columns, config.seed, until, progress
    )
    analysis.importance_rows, analysis.importance_repeats = count, REPEATS
    for name, items in importance.items():
        base = used[name].value(few[name])
        task = analysis.tasks[name]
        task.importance, task.importance_metric = items, used[name].facts.name
        task.importance_base = base if np.isfinite(base) else None
    if skipped:
        analysis.notes.append(
            f"the importance of {len(skipped)} columns was not measured within report.time_limit_seconds "
            f"{config.report.time_limit_seconds:g}: {', '.join(skipped)}"
        )
