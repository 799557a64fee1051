"""What a tuning found: its trials, the best one, and how the configuration would change."""

import difflib
import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.text import Text

from janus_core.errors import ConfigError
from janus_core.progress import readable_seconds
from pipeline.commands.output import plain_table
from pipeline.config import JanusConfig
from pipeline.config.edit import with_values_in
from pipeline.home import now
from pipeline.report.report_json import janus_version, stack_versions
from trainer.config.tune import RangeConfig, set_value
from trainer.trial_record import TrialRecord

SHOWN = 5
"""The trials that are printed; tune.json has all."""


class Change(BaseModel):
    """A key's value in the configuration, and in the best trial."""

    before: Any
    after: Any


class Tuning(BaseModel):
    """The result of `janus tune`, as tune.json has it.

    Attributes:
        trials: in the order of their numbers.
        best: the number of the best one.
        gain: by how much its score is less than the first trial's.
        changes: key → its change; empty where nothing is better than the configuration as it stands.
        diff: the change of the configuration's file.
        command: trains with the best values.
    """

    janus: str
    pipeline: str
    created: str
    stack: dict[str, str]
    seed: int
    search: str
    space: dict[str, RangeConfig]
    trials: list[TrialRecord]
    best: int
    gain: float
    changes: dict[str, Change]
    diff: str
    command: str

    def best_yaml(self) -> str:
        """The best values of the changed keys, as a configuration has them."""
        raw: dict[str, Any] = {}
        for path, change in self.changes.items():
            set_value(raw, path, change.after)
        head = f"# The best of {len(self.trials)} trials of pipeline '{self.pipeline}', {self.created}.\n"
        return head + (yaml.safe_dump(raw, sort_keys=False) if raw else "# Nothing is better than what it has.\n")


def scored(trials: Sequence[TrialRecord]) -> list[tuple[TrialRecord, float]]:
    """The trials that have a score, with it."""
    return [(trial, trial.score) for trial in trials if trial.score is not None]


def tuning_of(config: JanusConfig, results: Path, path: Path, overrides: Sequence[str]) -> Tuning:
    """The result of tuning a configuration, which is that of the file `path` with the overrides of `--set`.

    `results` is the Tuner's artifact `tuner_results`.
    """
    from components.tuner.executor import read_trials

    assert config.tune is not None
    trials = read_trials(results)
    first, best = trials[0], min(scored(trials), key=lambda pair: pair[1])[0]
    pairs = {key: Change(before=first.values[key], after=value) for key, value in best.values.items()}
    changes = {key: pair for key, pair in pairs.items() if pair.before != pair.after}
    options = [*overrides, *(f"{key}={json.dumps(change.after)}" for key, change in changes.items())]
    return Tuning(
        janus=janus_version(),
        pipeline=config.name,
        created=now(),
        stack=stack_versions(),
        seed=config.seed,
        search=config.tune.search,
        space=config.tune.space,
        trials=trials,
        best=best.number,
        gain=(first.score or 0.0) - (best.score or 0.0),
        changes=changes,
        diff=_diff(path, {key: change.after for key, change in changes.items()}),
        command=shlex.join(["janus", "run", str(path), *(part for option in options for part in ("--set", option))]),
    )


def result_view(tuning: Tuning) -> RenderableType:
    """The best trials, and the change of the configuration, on a terminal."""
    first = tuning.trials[0]
    right = ("trial", "score", *(f"{task} loss" for task in first.losses), "epochs", "seconds")
    table = plain_table("trials, the best first", (*right, "values"), right=right)
    ranked = sorted(tuning.trials, key=lambda trial: (trial.score is None, trial.score))
    for trial in [*ranked[:SHOWN], *(trial for trial in ranked[SHOWN:] if trial is first)]:
        values = ", ".join(f"{key.partition('.')[2]} {_shown(value)}" for key, value in trial.values.items())
        losses = [f"{trial.losses[task]:.4f}" if trial.losses else "" for task in first.losses]
        score = "failed" if trial.score is None else f"{trial.score:.4f}"
        style = "green" if trial.number == tuning.best else "bold" if trial is first else None
        cells = (str(trial.number), score, *losses, str(trial.epochs), f"{trial.seconds:.1f}", escape(values))
        table.add_row(*cells, style=style)
    took = readable_seconds(sum(trial.seconds for trial in tuning.trials))
    note = "A loss of 1 is that of the best constant prediction; the score is the tasks' mean, on validation rows."
    if not tuning.changes or not first.score:
        words = f"None of {len(tuning.trials)} trials in {took} is better than the configuration as it stands, trial 1."
        return Group(table, Text(note, "dim"), Text(words, "yellow"))
    share = tuning.gain / first.score
    words = f"Trial {tuning.best} is {share:.1%} better than the configuration as it stands, trial 1, after {took}."
    return Group(
        table,
        Text(note, "dim"),
        Text(words, "green"),
        *(Text(line, {"+": "green", "-": "red"}.get(line[:1], "dim")) for line in tuning.diff.splitlines()),
        Text("On the rows that chose it, the best of many looks better than it is. For its metrics on the eval split:"),
    )


def _diff(path: Path, values: dict[str, Any]) -> str:
    """A unified diff of the file; empty if only a person can change it."""
    before = path.read_text(encoding="utf-8").splitlines()
    try:
        after = with_values_in(path, values).splitlines()
    except ConfigError:
        return ""
    return "\n".join(difflib.unified_diff(before, after, str(path), str(path), n=0, lineterm=""))


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else json.dumps(value).replace('"', "")
