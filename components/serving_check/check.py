"""Tests a model in a separate process, and compares its answers with the expected ones."""

import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import logging

import serving
from components.serving_check.config import CheckConfig, LatencyLimits
from components.serving_check.process import run_limited
from components.serving_check.result import CheckResult
from serving.check.answers import Answers, differences, read_answers
from serving.check.findings import ANSWERS, Latency, read_findings
from serving.check.requests import inputs_of, signatures_of
from serving.errors import RequestError
from serving.rows import only_columns
from serving.signatures import COLUMNS, EXAMPLES, read_meta_graph
from trainer.names import column_arguments

_MEGABYTE = 1 << 20


def check_model(model: Path, rows: Sequence[bytes], config: CheckConfig) -> CheckResult:
    """Whether a model can be served.

    Args:
        model: a SavedModel's folder.
        rows: serialized tf.Examples, at least one.
        config: the limits of the check.
    """
    size_mb = sum(path.stat().st_size for path in model.rglob("*") if path.is_file()) / _MEGABYTE
    with tempfile.TemporaryDirectory(prefix="serving-check-") as name:
        folder = Path(name)
        file = folder / "rows.tfrecord"
        with tf.io.TFRecordWriter(str(file)) as writer:
            for row in rows:
                writer.write(row)
        ended = run_limited(
            [sys.executable, "-P", "-m", "serving.check", str(model.absolute()), str(file), name],
            _environment(),
            folder / "log",
            config.time_limit_seconds,
            config.memory_limit_mb,
        )
        findings = read_findings(folder)
        problems = list(findings.problems)
        if ended.problem:
            problems.append(f"the model's process, {findings.stage}, {ended.problem}")
            logging.error("The model's process printed:\n%s", (folder / "log").read_text(errors="replace"))
        else:
            problems += _comparison(model, rows, read_answers(folder / ANSWERS))
    problems += latency_problems(findings.latency, config.latency)
    if config.size_limit_mb is not None and size_mb > config.size_limit_mb:
        problems.append(f"the model's files have {size_mb:.1f} MB (serving.size_limit_mb: {config.size_limit_mb:g})")
    return CheckResult(
        passed=not problems,
        seconds=round(ended.seconds, 3),
        size_mb=round(size_mb, 3),
        peak_memory_mb=round(ended.peak_memory_mb, 1),
        signatures=findings.signatures,
        rows=len(rows),
        latency=findings.latency,
        problems=problems,
    )


def latency_problems(latency: Mapping[str, Mapping[str, Latency]], limits: LatencyLimits) -> Iterator[str]:
    """A sentence for each limit that a signature's latency is above."""
    for signature, sizes in latency.items():
        for size, measured in sizes.items():
            for quantile, words in (("p50_ms", "the median"), ("p99_ms", "the 99th percentile")):
                key, taken = f"batch_{size}_{quantile}", getattr(measured, quantile)
                limit = getattr(limits, key)
                if limit is not None and taken > limit:
                    rows = f"{size} row{'' if size == '1' else 's'}"
                    yield f"{signature}: {words} of {rows} is {taken:g} ms (serving.latency.{key}: {limit:g})"


def _comparison(model: Path, rows: Sequence[bytes], answers: Mapping[str, Answers]) -> list[str]:
    # A missing answer has been reported as a problem already.
    if EXAMPLES not in answers or COLUMNS not in answers:
        return []
    try:
        expected = reference_answers(model, rows)
    except (RequestError, ValueError, tf.errors.OpError) as error:
        return [f"TensorFlow's Python API cannot load or call the model: {error}"]
    return compare(answers, expected)


def compare(answers: Mapping[str, Answers], expected: Mapping[str, Answers]) -> list[str]:
    """A sentence for each output that differs from the reference."""
    problems: list[str] = []
    for signature, outputs in answers.items():
        if signature in expected:
            count = len(next(iter(outputs.values()), ()))
            names = [f"row {number}" for number in range(1, count + 1)]
            problems += differences(signature, outputs, expected[signature], names, "the Trainer's model")
    return problems


def _environment() -> dict[str, str]:
    # The child process imports the same packages as this one, wherever they are.
    path = [str(Path(serving.__file__).parent.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, path)), "TF_CPP_MIN_LOG_LEVEL": "2"}


def reference_answers(model: Path, rows: Sequence[bytes]) -> dict[str, Answers]:
    """The signatures' answers in this process: Transform's graph and the trained network, as the Trainer ran them.

    The Trainer itself sees transformed examples only, and so has no predictions for raw rows, but its exported
    functions do. They are restored here as Python objects and called eagerly: variables and tables are restored from
    the object graph, whereas the check's process, like TF Serving, uses the serialized session graph with its
    initializers and restores by names. A value that one of the two ways loses shows as a difference.

    Args:
        model: a SavedModel that the check's process has loaded and run already, so that it neither hangs nor crashes.
        rows: serialized tf.Examples.

    Returns:
        Signature → output → values, for serving_default and serving_columns, and for the signatures of tasks. Those
        are no functions of the export, but give tensors of serving_default under other names.

    Raises:
        ValueError, tf.errors.OpError: the model cannot be loaded or called so.
    """
    definitions = read_meta_graph(model).signature_def
    rows = only_columns(rows, definitions[COLUMNS].inputs)
    loaded = tf.saved_model.load(str(model))
    answers: dict[str, Answers] = {}
    for signature in (EXAMPLES, COLUMNS):
        definition = definitions[signature]
        # Python's functions know nothing of a signature's defaults.
        given = {name: tf.make_ndarray(value) for name, value in definition.defaults.items()}
        given |= inputs_of(signature, definition, rows)
        arguments = column_arguments(definition.inputs)
        inputs = {arguments[name]: tf.constant(value, definition.inputs[name].dtype) for name, value in given.items()}
        answers[signature] = {name: value.numpy() for name, value in loaded.signatures[signature](**inputs).items()}
    for signature in signatures_of(definitions):
        if signature not in answers:
            renamed = _renamed(definitions[signature], definitions[EXAMPLES])
            answers[signature] = {name: answers[EXAMPLES][of_default] for name, of_default in renamed.items()}
    return answers


def _renamed(definition: Any, default: Any) -> dict[str, str]:
    """Output of a task's signature → the output of serving_default that is the same tensor."""
    outputs = {info.name: name for name, info in default.outputs.items()}
    return {name: outputs[info.name] for name, info in definition.outputs.items() if info.name in outputs}
