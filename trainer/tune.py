"""The tuner_fn that the Tuner calls: trials of a configuration with other values, chosen by keras-tuner's oracles."""

import contextlib
import gc
import hashlib
import json
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import keras_tuner
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft
from keras_tuner.engine.base_tuner import BaseTuner
from keras_tuner.engine.trial import Trial as OracleTrial
from keras_tuner.engine.trial import TrialStatus
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from janus_core.errors import ConfigError, JanusError
from janus_core.files import delete, write_text
from janus_core.progress import PROGRESS, readable_seconds
from trainer.callbacks import Progress
from trainer.config import TrainerConfig
from trainer.config.tune import HYPERBAND, TuneConfig, config_values, value_at, with_values
from trainer.heads.base import Head
from trainer.input import TrainingData
from trainer.multitask import BALANCED_LOSS, MultiTaskModel
from trainer.names import log_name
from trainer.network import binned_features
from trainer.run import make_heads, read_examples
from trainer.trial import Trial, train_trial
from trainer.trial_record import TrialRecord

SCORE = "score"
"""What is minimised: the mean over the tasks of the validation loss relative to that of the best constant prediction.

The losses are those of the configuration as it stands, also where a trial trains with others.
"""

DIGITS = 3
"""The significant digits of the numbers that are tried."""


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Makes the tuner.

    `fn_args.custom_config` has `trainer`, the JSON of a `TrainerConfig`, `tune`, that of a `TuneConfig`, and may have
    `state_root`, the folder in which a killed tuning finds its state again.

    Raises:
        ConfigError: the state of an earlier tuning cannot be read.
        DataError: the train split is too small.
    """
    custom = fn_args.custom_config
    tune = TuneConfig.model_validate_json(custom["tune"])
    config = TrainerConfig.model_validate_json(custom["trainer"])
    training = config.training.model_copy(update={"distribution": "none", "warm_start": False})
    base = config.model_copy(update={"training": training})
    return TunerFnResult(ConfigTuner(base, tune, _Examples(fn_args, base), _state_folder(fn_args, tune)), {})


class _Examples:
    """The train split, read when a trial needs it, and again only for one that needs it in another form."""

    def __init__(self, fn_args: FnArgs, base: TrainerConfig):
        self._files = fn_args.train_files
        self.transform = tft.TFTransformOutput(fn_args.transform_graph_path)
        self._form: Any = None
        self._data: TrainingData | None = None

    def of(self, config: TrainerConfig) -> TrainingData:
        form = (config.training.batch_size, binned_features(config))
        if self._data is None or form != self._form:
            self._data = None
            self._data, self._form = read_examples(self._files, self.transform, config), form
        return self._data


class _OutOfTimeError(Exception):
    """The minutes are over."""


class _Epochs(Progress):
    """Announces the beginning of each epoch, and ends the trial there when the time is over: it has a checkpoint."""

    def __init__(self, heads: Mapping[str, Head], epochs: int, deadline: float):
        super().__init__(heads, epochs)
        self._deadline = deadline

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        if time.monotonic() > self._deadline:
            raise _OutOfTimeError
        super().on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Mapping[str, Any] | None = None) -> None:
        self._seconds.append(time.monotonic() - self._started)


class ConfigTuner(BaseTuner):
    """Trains trials of `base`, the configuration as it stands, and scores them.

    Its folder keeps the oracle's state and the unfinished trials' checkpoints.
    """

    def __init__(self, base: TrainerConfig, tune: TuneConfig, examples: _Examples, folder: Path):
        self._base, self._tune, self._examples, self.folder = base, tune, examples, folder
        self._seconds, self._began = 0.0, time.monotonic()
        arguments = {}
        if tune.search == "hyperband":
            epochs = base.training.epochs_for(examples.of(base).rows if base.training.min_steps else 1)
            arguments = {"max_epochs": epochs, "hyperband_iterations": None}
        oracle = _ORACLES[tune.search](tune, base, **arguments)
        space = oracle.get_space().get_config()["space"]
        try:
            super().__init__(oracle, directory=str(folder.parent), project_name=folder.name)
            intact = self._is_worker() or oracle.get_space().get_config()["space"] == space
        except (ValueError, KeyError, TypeError, AttributeError, RuntimeError, OSError, tf.errors.OpError) as error:
            raise _stale(folder, f"cannot be read ({type(error).__name__}: {error})") from error
        if not intact:
            raise _stale(folder, "is of another space")

    def search(self, *arguments: Any, **options: Any) -> None:
        """Runs trials until there are enough of them, the space is exhausted, or the minutes are over."""
        self.save()
        with contextlib.suppress(_OutOfTimeError):
            super().search(*arguments, **options)

    def finish(self) -> None:
        """Removes what only a search that continues needs, once no other process searches."""
        if time.monotonic() > self._deadline():
            PROGRESS.info("the %g minutes are over", self._tune.minutes)
        else:
            delete(self.folder / "checkpoints")

    def pre_create_trial(self) -> None:
        """Called before each request for a trial, which the oracle may put off."""
        time.sleep(0.1 if self._is_worker() else 0.0)
        if time.monotonic() > self._deadline():
            raise _OutOfTimeError

    def run_trial(self, trial: OracleTrial, *arguments: Any, **options: Any) -> dict[str, float]:
        """Trains a trial and returns its score, the tasks' relative losses and what it took."""
        config = with_values(self._base, {} if _is_first(trial) else config_values(trial.hyperparameters.values))
        data = self._examples.of(config)
        epochs = trial.hyperparameters.values.get(f"{HYPERBAND}epochs")
        checkpoints = self.folder / "checkpoints" / hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:16]
        heads, last = make_heads(data, self._base), epochs or config.training.epochs_for(data.rows)
        trained = train_trial(
            config,
            self._examples.transform,
            data,
            epochs=last,
            checkpoints=checkpoints,
            decide=False,
            callbacks=[_Epochs(heads, last, self._deadline())],
        )
        result = {
            **_losses(trained, heads, self._base, data),
            **{name: float(getattr(trained, name)) for name in ("epochs", "best_epoch", "parameters", "seconds")},
        }
        # Keras's models refer to themselves: they would pile up.
        del trained
        gc.collect()
        return result

    def _try_run_and_update_trial(self, trial: OracleTrial, *arguments: Any, **options: Any) -> None:
        """Differs from its base in that only a training that diverges is a failed trial."""
        try:
            self._run_and_update_trial(trial, *arguments, **options)
        except JanusError as error:
            if _is_first(trial):
                raise
            trial.status, trial.message = TrialStatus.FAILED, str(error)
        else:
            trial.status = TrialStatus.COMPLETED

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """The best first; without any value for the configuration as it stands."""
        best = self.oracle.get_best_trials(num_trials)
        return [keras_tuner.HyperParameters() if _is_first(trial) else trial.hyperparameters for trial in best]

    def records(self) -> list[TrialRecord]:
        """The trials that have ended, in order."""
        raw = self._base.model_dump(mode="json")
        own = {path: value_at(raw, path) for path in self._tune.space}
        return [_record(trial, own, list(self._base.tasks)) for trial in self.oracle.trials.values() if _ended(trial)]

    def save(self) -> None:
        """Writes the state, each file whole or not at all."""
        if not self._is_worker():
            self.oracle.save()
        write_text(Path(self._get_tuner_fname()), json.dumps(self.get_state()))

    def get_state(self) -> dict[str, float]:
        """The seconds of the search so far."""
        return {"seconds": self._seconds + time.monotonic() - self._began}

    def set_state(self, state: Mapping[str, float]) -> None:
        """Continues a search."""
        self._seconds = state["seconds"]

    def _deadline(self) -> float:
        limit = float("inf") if self._tune.minutes is None else 60 * self._tune.minutes
        return self._began + limit - self._seconds


class _Oracle(keras_tuner.Oracle):
    """What all oracles share: the configuration as it stands comes first, and a killed search can continue."""

    def __init__(self, tune: TuneConfig, base: TrainerConfig, **arguments: Any):
        super().__init__(
            objective=keras_tuner.Objective(SCORE, "min"),
            hyperparameters=_hyperparameters(tune, base),
            # Without one, or with 0, keras-tuner draws a seed.
            seed=base.seed + 1,
            max_consecutive_failed_trials=tune.trials,
            **arguments,
        )
        self.max_trials = tune.trials
        self.verbose = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The next values; numbers have few digits."""
        if not self.trials:
            return {"status": TrialStatus.RUNNING, "values": {hp.name: hp.default for hp in self.hyperparameters.space}}
        answer: dict[str, Any] = super().populate_space(trial_id)
        if answer.get("values"):
            ranges = {hp.name: hp for hp in self.hyperparameters.space}
            answer["values"] = {
                name: float(np.clip(float(f"{value:.{DIGITS}g}"), ranges[name].min_value, ranges[name].max_value))
                if isinstance(value, float)
                else value
                for name, value in answer["values"].items()
            }
        return answer

    def end_trial(self, trial: OracleTrial) -> None:
        """Records a trial that has ended, and logs it."""
        super().end_trial(trial)
        ended = [of_all for of_all in self.trials.values() if _ended(of_all)]
        _log(self.trials[trial.trial_id], ended, self.get_best_trials()[0], self.max_trials)

    def save(self) -> None:
        """Writes the state whole or not at all, which a killed process can read."""
        write_text(Path(self._get_oracle_fname()), json.dumps(self.get_state()))

    def _save_trial(self, trial: OracleTrial) -> None:
        write_text(Path(self._get_trial_dir(trial.trial_id)) / "trial.json", json.dumps(trial.get_state()))

    def reload(self) -> None:
        """Reads the state. A trial that the oracle does not know, since it was killed meanwhile, starts again."""
        super().reload()
        self.trials: dict[str, OracleTrial] = {trial_id: self.trials[trial_id] for trial_id in self.start_order}


class _Random(_Oracle, keras_tuner.oracles.RandomSearchOracle):
    """Random values."""


class _Hyperband(_Oracle, keras_tuner.oracles.HyperbandOracle):
    """Random values for few epochs, and the best of them for more."""


class _Bayesian(_Oracle, keras_tuner.oracles.BayesianOptimizationOracle):
    """Values of which a Gaussian process expects most."""

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Chooses in a search that continues as in one that was never ended."""
        self._random_state = np.random.RandomState(self.seed + len(self.trials))
        return super().populate_space(trial_id)


_ORACLES = {"bayesian": _Bayesian, "hyperband": _Hyperband, "random": _Random}


def _hyperparameters(tune: TuneConfig, base: TrainerConfig) -> keras_tuner.HyperParameters:
    """The space. A value of the configuration's own that is in no range is the nearest in it: see `ConfigTuner`."""
    space, raw = keras_tuner.HyperParameters(), base.model_dump(mode="json")
    for path, range_ in tune.space.items():
        own = value_at(raw, path)
        if range_.choices is not None:
            texts = [json.dumps(choice) for choice in [own, *(choice for choice in range_.choices if choice != own)]]
            space.Choice(path, texts, default=texts[0])
            continue
        default = range_.min if own is None else min(max(own, range_.min), range_.max)
        make = space.Int if range_.whole else space.Float
        make(path, range_.min, range_.max, sampling=range_.scale, default=default)
    return space


def _losses(trained: Trial, heads: dict[str, Head], base: TrainerConfig, data: TrainingData) -> dict[str, float]:
    """The score, and each task's relative loss, of a network on the validation rows."""
    judge = MultiTaskModel(trained.structure, heads, base)
    judge.compile()
    logs = judge.evaluate(data.validation, return_dict=True, verbose=0)
    relative = {f"{name}_loss": logs[f"{log_name(name)}_loss"] / head.trivial_loss() for name, head in heads.items()}
    return {SCORE: float(logs[BALANCED_LOSS]), **relative}


def _record(trial: OracleTrial, own: Mapping[str, Any], tasks: list[str]) -> TrialRecord:
    number = int(trial.trial_id) + 1
    values = dict(own) if _is_first(trial) else config_values(trial.hyperparameters.values)
    if trial.status != TrialStatus.COMPLETED:
        return TrialRecord(number=number, values=values, failure=trial.message or "the training failed")
    found = {name: trial.metrics.get_last_value(name) for name in trial.metrics.metrics}
    return TrialRecord(
        number=number,
        values=values,
        score=trial.score,
        losses={task: found[f"{task}_loss"] for task in tasks},
        seconds=round(found["seconds"], 3),
        **{name: int(found[name]) for name in ("epochs", "best_epoch", "parameters")},
    )


def _log(trial: OracleTrial, ended: list[OracleTrial], best: OracleTrial, wanted: int) -> None:
    values = config_values(trial.hyperparameters.values).items()
    shown = ", ".join(f"{path.partition('.')[2]} {value}" for path, value in values)
    seconds = [of_all.metrics.get_last_value("seconds") for of_all in ended if of_all.score is not None]
    left = fmean(seconds) * (wanted - len(ended)) if seconds else 0.0
    PROGRESS.info(
        "trial %d/%d  %s  %s%s%s",
        int(trial.trial_id) + 1,
        wanted,
        "failed" if trial.score is None else f"{SCORE} {trial.score:.4f}",
        "as it stands" if _is_first(trial) else shown,
        "" if best.score is None else f"  best: {best.score:.4f}, trial {int(best.trial_id) + 1}",
        f"  {readable_seconds(left)} left" if left else "",
    )


def _state_folder(fn_args: FnArgs, tune: TuneConfig) -> Path:
    """A folder for tunings with exactly this space, configuration, code and data."""
    custom = fn_args.custom_config
    determined_by = tune.model_dump_json(include={"space", "search"})
    parts = [custom["trainer"], determined_by, str(custom.get("code")), fn_args.transform_graph_path]
    key = hashlib.sha256("\n".join([*parts, *sorted(fn_args.train_files)]).encode()).hexdigest()[:16]
    root = Path(custom.get("state_root") or tempfile.mkdtemp())
    if root.is_dir() and not (root / key).exists() and any(root.iterdir()):
        PROGRESS.info("space, configuration, code or data are others than in the tunings before: it starts again")
    return root / key


def _stale(folder: Path, what: str) -> ConfigError:
    return ConfigError(f"the state of an earlier tuning, {folder}, {what}: `janus tune CONFIG --restart` discards it")


def _is_first(trial: OracleTrial) -> bool:
    return int(trial.trial_id) == 0


def _ended(trial: OracleTrial) -> bool:
    return trial.status in (TrialStatus.COMPLETED, TrialStatus.FAILED)
