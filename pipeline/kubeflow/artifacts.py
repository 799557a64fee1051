"""A run's results as artifacts of Kubeflow Pipelines, which its pages show: metrics, curves, report, model card, model.

The report's step declares them as outputs. KFP's launcher passes the place of each in `{{$}}`, uploads the file at the
artifact's local path, and reads the metadata from the executor's output file, with protojson, which accepts neither NaN
nor null (backend/src/v2/component/launcher_v2.go).
"""

import json
import logging
import math
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from janus_core.kinds import kind_of
from pipeline.config import JanusConfig
from pipeline.report.analysis.analysis_json import Analysis
from pipeline.report.model_card import CARD_FILE
from pipeline.report.page import PAGE_FILE
from pipeline.report.report_json import RunReport
from pipeline.report.wording import gate_name
from trainer.config import Task, classes_of

METRICS, PAGE, CARD, MODEL = "metrics", "html_report", "model_card", "pushed_model"
MAX_CURVES = 10
"""A task with more classes has no curves: KFP's page compares at most this many."""

_FILES = {PAGE: PAGE_FILE, CARD: CARD_FILE}
_MOUNTS = {"gs": "/gcs", "minio": "/minio", "s3": "/s3"}
"""The scheme of an artifact's address → its local path in the launcher (LocalPathForURI)."""

LOG = logging.getLogger(__name__)


def classification_outputs(config: JanusConfig) -> dict[str, tuple[str, str | None]]:
    """The names of the outputs with curves and confusion matrices → the task, and the class of a curve.

    KFP's page draws one curve per artifact. A binary task has that of its second class, beside the confusion matrix;
    a task with more classes has an artifact with the matrix, and one with the curve of each class.
    """
    outputs: dict[str, tuple[str, str | None]] = {}
    for name, task in config.tasks.items():
        for key, value in _parts(name, task):
            # KFP's names are identifiers; a number distinguishes those that would be the same.
            stem = re.sub(r"\W+", "_", key, flags=re.ASCII).strip("_").lower()
            free = [stem, *(f"{stem}_{number}" for number in range(2, len(outputs) + 3))]
            outputs[next(text for text in free if text not in outputs)] = value
    return outputs


def _parts(name: str, task: Task) -> Iterator[tuple[str, tuple[str, str | None]]]:
    classes, decides = classes_of(task), kind_of(task).decides
    if decides == "threshold":
        yield f"classification {name}", (name, classes[1])
    elif classes and decides != "tokens":
        if decides != "each":
            yield f"classification {name}", (name, None)
        if len(classes) <= MAX_CURVES:
            yield from ((f"classification {name} {text}", (name, text)) for text in classes)


def write_artifacts(
    executor_input: str | None, config: JanusConfig, report: RunReport, analysis: Analysis, folder: Path
) -> list[str]:
    """Writes the files and the metadata of the outputs that KFP asks for, and returns these outputs' names.

    Args:
        executor_input: KFP's replacement of `{{$}}`. Under another orchestrator it is None or something else, and
            nothing is written.
        folder: holds the run's report and model card.
    """
    try:
        outputs = json.loads(executor_input or "")["outputs"]
        wanted = {name: value["artifacts"][0] for name, value in outputs.get("artifacts", {}).items()}
        output_file = Path(outputs["outputFile"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        LOG.info("no artifacts for Kubeflow's pages: --executor-input is not KFP's (%r)", error)
        return []
    metadata: dict[str, Mapping[str, Any]] = {METRICS: metrics_metadata(report), MODEL: model_metadata(report)}
    for name, (task, of_class) in classification_outputs(config).items():
        metadata[name] = classification_metadata(analysis, task, of_class)
    written = {}
    for name, artifact in wanted.items():
        path = local_path(artifact.get("uri", ""))
        source = folder / _FILES[name] if name in _FILES else None
        if path is not None and source is not None and source.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, path)
            written[name] = {**artifact}
        elif metadata.get(name):
            written[name] = {**artifact, "metadata": {**artifact.get("metadata", {}), **metadata[name]}}
    output_file.parent.mkdir(parents=True, exist_ok=True)
    content = {"artifacts": {name: {"artifacts": [artifact]} for name, artifact in written.items()}}
    output_file.write_text(json.dumps(content, allow_nan=False), encoding="utf-8")
    return sorted(written)


def local_path(uri: str) -> Path | None:
    """The path from which KFP's launcher uploads an artifact; None for an address to which it does not upload.

    The addresses of KFP's local orchestrator are paths.
    """
    if uri.startswith("/"):
        return Path(uri)
    scheme, separator, rest = uri.partition("://")
    return Path(_MOUNTS[scheme], rest) if separator and scheme in _MOUNTS else None


def metrics_metadata(report: RunReport) -> dict[str, float]:
    """`task/metric` → value, and `task/metric rule` → 1 for each gate that passed, 0 for one that did not."""
    values: dict[str, Any] = {}
    for name, task in report.tasks.items():
        values |= {f"{name}/{metric}": value for metric, value in task.get("metrics", {}).items()}
        values |= {f"{name}/{gate_name(gate)}": float(gate["passed"]) for gate in task.get("gates", [])}
    numbers = {key: float(value) for key, value in values.items() if isinstance(value, int | float)}
    return {key: value for key, value in numbers.items() if math.isfinite(value)}


def model_metadata(report: RunReport) -> dict[str, str]:
    """The pushed model's properties for KFP's page; empty if none was pushed."""
    if report.pushed is None:
        return {}
    version = report.stack.get("tensorflow", "unknown")
    return {
        "framework": f"TensorFlow {version}",
        "path": report.pushed,
        "version": report.pushed.rstrip("/").rpartition("/")[2],
        "run_id": report.run_id,
    }


def classification_metadata(analysis: Analysis, task: str, of_class: str | None) -> dict[str, Any]:
    """KFP's form of a ROC curve and of a confusion matrix (kfp.dsl.ClassificationMetrics); empty without either."""
    of_task = analysis.tasks.get(task)
    if of_task is None:
        return {}
    metadata: dict[str, Any] = {}
    curve = next((curve for curve in of_task.classes if curve.name == of_class), None)
    if curve is not None and curve.threshold:
        points = zip(curve.threshold, curve.true_positive_rate, curve.false_positive_rate, strict=True)
        metadata["confidenceMetrics"] = [
            {"confidenceThreshold": threshold, "recall": recall, "falsePositiveRate": rate}
            for threshold, recall, rate in points
        ]
    confusion = of_task.confusion
    if confusion is not None and (of_class is None or len(confusion.classes) == 2):
        metadata["confusionMatrix"] = {
            "annotationSpecs": [{"displayName": name} for name in confusion.classes],
            "rows": [{"row": row} for row in confusion.counts],
        }
    return metadata
