"""What is known of a tuning's trial: not in `trainer.tune`, which TFX loads again when it runs the Tuner."""

from typing import Any

from pydantic import TypeAdapter

from janus_core.strict import StrictModel


class TrialRecord(StrictModel):
    """What is known of a trial that has ended.

    Attributes:
        number: from 1; the first is the configuration as it stands.
        values: by the keys' dotted paths.
        score: see `trainer.tune.SCORE`; None for a trial that failed.
        losses: task → its validation loss relative to the best constant prediction.
        epochs, best_epoch: trained, and the one whose weights were kept, from 1.
        seconds: of training in the process that ended the trial.
        failure: why there is no score.
    """

    number: int
    values: dict[str, Any]
    score: float | None = None
    losses: dict[str, float] = {}
    epochs: int = 0
    best_epoch: int = 0
    parameters: int = 0
    seconds: float = 0.0
    failure: str | None = None


TRIALS = TypeAdapter(list[TrialRecord])
