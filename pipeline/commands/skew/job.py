"""One `janus skew`: reads the log, compares, prints the result, and writes skew.json and skew.png."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Group, RenderableType
from rich.text import Text

from janus_core.errors import ConfigError, DataError
from pipeline.commands.output import plain_table
from pipeline.commands.skew.options import SkewOptions
from pipeline.config import JanusConfig
from pipeline.environment import library_output_to
from pipeline.home import Home, now, unused
from pipeline.report.report_json import read_latest
from pipeline.report.view import decimals
from pipeline.run.display import console_on
from serving.errors import RequestError
from trainer.config import classes_of

if TYPE_CHECKING:
    from pipeline.commands.skew.predictions import PredictionDrift
    from pipeline.drift import FeatureSkew

TRAINING_ROWS, EVAL_ROWS = 20_000, 5000
"""Drawn from the training split for the numbers' distributions, from the eval split for predictions."""


@dataclass(frozen=True)
class Result:
    """The result of a comparison."""

    rows: int
    features: "list[FeatureSkew]"
    predictions: "list[PredictionDrift]"

    def outliers(self) -> list[str]:
        """A sentence for each column with served numbers outside the range of the training split."""
        return [
            f"column '{one.column}': {one.outside_count:,} of {round(one.outside_count / one.outside):,} served values "
            f"{'is' if one.outside_count == 1 else 'are'} outside the training split's range{_values(one)}"
            for one in self.features
            if one.outside
        ]

    def problems(self) -> list[str]:
        """A sentence for each threshold that is passed."""
        found = [
            f"column '{one.column}' is skewed: {one.measure} {decimals(one.distance)} is above {one.threshold:g}"
            if one.missing_serving < 1
            else f"column '{one.column}' is in no request"
            for one in self.features
            if one.skewed
        ]
        return found + [
            f"predictions of task '{one.task}' have drifted: {one.measure} {one.distance:.4f} is above "
            f"{one.threshold:g}"
            for one in self.predictions
            if one.drifted
        ]


def run_skew_job(config: JanusConfig, options: SkewOptions, verbose: bool = False) -> int:
    """Compares served requests with the training data of the newest run, and returns the exit code.

    Raises:
        ConfigError: there is no run yet, or no log, or it has too few rows.
        DataError: a column or a task is past its threshold; the result is written nevertheless.
    """
    home = Home(config.name)
    results = home.folder / "skew"
    with library_output_to(home.folder / "skew.log", verbose) as terminal:
        result = _compare(config, home, options)
        folder = results / unused(now(), lambda name: (results / name).exists())
        folder.mkdir(parents=True)
        document = {
            "pipeline": config.name,
            "rows": result.rows,
            "features": [one.as_dict() for one in result.features],
            "predictions": [one.as_dict() for one in result.predictions],
            "outliers": result.outliers(),
            "problems": result.problems(),
        }
        text = json.dumps(document, indent=2)
        (folder / "skew.json").write_text(text + "\n", encoding="utf-8")
        from pipeline.commands.skew.plot import plot_skew

        plot_skew(result.features, folder / "skew.png")
        if options.as_json:
            print(text, file=terminal.out)
        else:
            console = console_on(terminal.out)
            console.print(_view(result))
            console.print(f"result: {folder}/skew.json, {folder}/skew.png", style="dim")
    if result.problems():
        raise DataError("; ".join(result.problems()), result.problems())
    return 0


def _compare(config: JanusConfig, home: Home, options: SkewOptions) -> Result:
    rows, served = _logged(options)
    from components.anomaly_gate.column import read_statistics
    from janus_core.examples.draw import draw_rows
    from pipeline.commands.skew.predictions import prediction_drifts
    from pipeline.drift import Sample, batches_of, feature_skews, sample_of
    from pipeline.lineage.store import executions_of_run, open_store, output_of
    from pipeline.schema import read_schema

    run = executions_of_run(open_store(home.metadata), read_latest(home).run_id)
    nodes = {"examples": "ExampleGen", "statistics": "StatisticsGen"}
    nodes["schema"] = "ImportSchemaGen" if "ImportSchemaGen" in run else "SchemaGen"
    examples, statistics, schema = (output_of(run, node, key) for key, node in nodes.items())
    if statistics is None or schema is None or examples is None:
        raise ConfigError(f"the newest run of pipeline '{home.name}' ended before its statistics: run it again")
    drawn = draw_rows(f"{examples.uri}/Split-train", TRAINING_ROWS, config.seed, whole=True).records
    training = Sample(read_statistics(statistics.uri, "train"), batches_of(drawn) if drawn else [])
    columns = config.stable_columns()
    features = feature_skews(
        training, sample_of(rows), read_schema(Path(schema.uri) / "schema.pbtxt"), columns, options.threshold
    )
    sensitive = config.sensitive_columns()
    features = [one.without_values() if one.column in sensitive else one for one in features]
    tasks = {name: bool(classes_of(task)) for name, task in config.tasks.items()}
    expected = _expected(config, f"{examples.uri}/Split-eval") if served else {}
    return Result(len(rows), features, prediction_drifts(expected, served, tasks, options.prediction_threshold))


def _logged(options: SkewOptions) -> tuple[list[bytes], dict[str, np.ndarray]]:
    """The log's rows, and what was answered, as far as every request has it."""
    from pipeline.commands.skew.predictions import TAGS
    from serving.request_log import examples_of, read_log

    rows: list[bytes] = []
    outputs: dict[str, list[np.ndarray]] = {}
    try:
        for log in read_log(options.logged, lambda text: print(f"warning: {text}", file=sys.stderr)):
            for part in examples_of(log):
                rows += part.examples
                for name, values in part.outputs.items():
                    if values.dtype != object or name.endswith(TAGS):
                        outputs.setdefault(name, []).append(values)
    except (RequestError, OSError) as error:
        raise ConfigError(f"--logged {options.logged}: {error}") from error
    if len(rows) < options.min_rows:
        raise ConfigError(
            f"--logged {options.logged}: {len(rows)} rows are too few for a comparison (--min-rows {options.min_rows})"
        )
    return rows, {name: np.concatenate(values) for name, values in outputs.items()}


def _expected(config: JanusConfig, split: str) -> dict[str, np.ndarray]:
    """What the newest pushed model answers to rows drawn from the eval split."""
    from janus_core.examples.draw import draw_rows
    from pipeline.commands.predict.job import newest_version
    from serving.saved_model import LoadedModel

    rows = draw_rows(split, EVAL_ROWS, config.seed, whole=True).records
    model = LoadedModel(newest_version(config, None))
    try:
        return model.run("serving_default", {"examples": np.array(rows, object)})
    finally:
        model.close()


def _values(one: "FeatureSkew") -> str:
    if one.training_range is None:
        return ""
    named = [f"{value:g}" for value in one.outside_values]
    more = ["…"] if len(one.outside_values) < one.outside_distinct else []
    return f" {one.training_range[0]:g} to {one.training_range[1]:g}: {', '.join([*named, *more])}"


# --- on the terminal ----------------------------------------------------------------------------------------------


def _view(result: Result) -> RenderableType:
    numbers = ("distance", "threshold", "missing (training)", "missing (served)", "unseen", "shift of the mean")
    title = f"{result.rows:,} served rows beside the training split"
    features = plain_table(title, ("column", "measure", *numbers[:-1], ""), right=numbers)
    for one in sorted(result.features, key=lambda one: -(one.distance or 0.0)):
        features.add_row(
            one.column,
            one.measure,
            decimals(one.distance),
            "" if one.threshold is None else f"{one.threshold:g}",
            f"{one.missing_training:.1%}",
            f"{one.missing_serving:.1%}",
            "" if one.unseen is None else f"{one.unseen:.2%}",
            _verdict(one.skewed, one.threshold, "skewed"),
        )
    parts: list[RenderableType] = [features, *(Text(line) for line in result.outliers())]
    if result.predictions:
        headings = ("task", "measure", "distance", "threshold", "shift of the mean", "")
        tasks = plain_table("predictions beside those of the eval split", headings, right=numbers)
        for drift in result.predictions:
            tasks.add_row(
                drift.task,
                drift.measure,
                decimals(drift.distance),
                "" if drift.threshold is None else f"{drift.threshold:g}",
                "" if drift.shift is None else f"{drift.shift:+.4g}",
                _verdict(drift.drifted, drift.threshold, "drifted"),
            )
        parts.append(tasks)
    return Group(*parts)


def _verdict(past: bool, threshold: float | None, word: str) -> str:
    if past:
        return f"[red]✗ {word}[/red]"
    return "no threshold" if threshold is None else "[green]✓[/green]"
