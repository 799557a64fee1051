"""Every metric that a task can be measured by: what is better, in which unit, and which class computes it.

Whatever shows, compares or gates a metric asks here. `janus_core.kinds` says which kinds of tasks have which metrics.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Better = Literal["high", "low", "zero", "nominal"]
"""What is better: a higher value, a lower one, one nearer to zero, or one nearer to the nominal coverage."""

Rule = Literal["min", "max", "max_drop", "max_rise"]
"""How a gate limits a metric."""

Scope = Literal["rows", "slices", "gap"]
"""What a gate limits: the value over all rows, that of each slice, or the largest less the smallest of the slices."""


@dataclass(frozen=True)
class Metric:
    """What holds of a metric wherever it is computed, shown or compared.

    Attributes:
        name: its short name, in gates and reports.
        implementation: module and class of the TFMA metric, within the package `components.metrics`.
        better: what is better.
        unit: whether it is in the label's own unit, in classes, or in none.
        share: whether it lies between 0 and 1.
        least, greatest: the values between which any other metric lies.
        undefined: when it has no value although all predictions are finite; empty if it always has one.
        reads: what follows the task's name in the name of the model's output that it is computed from.
        levels: how many quantiles a task must predict to have this metric.
        entities: whether only tags of entities have it.
        implausible: from which value on a model is too good to be true; real tables seldom come near.
    """

    name: str
    implementation: str
    better: Better
    unit: Literal["label", "classes"] | None = None
    share: bool = False
    least: float = -math.inf
    greatest: float = math.inf
    undefined: str = ""
    reads: Literal["", "decision", "quantiles"] = ""
    levels: int = 0
    entities: bool = False
    implausible: float | None = None

    @property
    def range(self) -> tuple[float, float]:
        """The values between which it lies."""
        return (0.0, 1.0) if self.share else (self.least, self.greatest)

    def best(self, levels: Sequence[float] = ()) -> float | None:
        """The value that is best where neither higher nor lower is better; None if unknown or if there is none.

        Args:
            levels: of the quantiles that the task predicts, ascending.
        """
        if self.better == "zero":
            return 0.0
        return levels[-1] - levels[0] if self.better == "nominal" and len(levels) > 1 else None

    def badness(self, value: float, levels: Sequence[float] = ()) -> float | None:
        """How bad a value is, the lower the better, in the metric's unit; None where `best` is needed and unknown."""
        return self.least_badness(value, value, levels)

    def least_badness(self, low: float, high: float, levels: Sequence[float] = ()) -> float | None:
        """The `badness` of the best value from `low` to `high`."""
        if self.better == "low":
            return low
        if self.better == "high":
            return -high
        best = self.best(levels)
        return None if best is None else max(low - best, best - high, 0.0)

    def unit_in(self, label_unit: str | None) -> str | None:
        """The metric's unit where the label has this one; None if it has no unit."""
        return label_unit if self.unit == "label" else self.unit

    @property
    def reason_undefined(self) -> str:
        """Why it may have no value."""
        return f"{self.undefined}, or a prediction is not finite" if self.undefined else "a prediction is not finite"


_NO_CURVE = "each class is held by none or by all of the labelled rows"

ACCURACY = Metric("accuracy", "classification.ClassAccuracy", better="high", share=True)
F1 = Metric("f1", "classification.MacroF1", better="high", share=True)
AUC = Metric("auc", "curves.OneVsRestAUC", better="high", share=True, undefined=_NO_CURVE, implausible=0.999)
AUC_PR = Metric("auc_pr", "curves.OneVsRestAUCPR", better="high", share=True, undefined=_NO_CURVE)
LOG_LOSS = Metric("log_loss", "classification.LogLoss", better="low", least=0)
ECE = Metric("ece", "classification.ExpectedCalibrationError", better="low", share=True)

DECIDED_ACCURACY = replace(ACCURACY, reads="decision")
DECIDED_F1 = replace(F1, reads="decision")
"""Of two classes: by the threshold that is exported with the model."""

CLASS_DISTANCE = Metric("mae", "classification.ClassDistance", better="low", unit="classes", least=0)
QWK = Metric(
    "qwk",
    "classification.QuadraticWeightedKappa",
    better="high",
    least=-1,
    greatest=1,
    undefined="labels and predictions are all of one class",
)

MULTILABEL_ACCURACY = Metric("accuracy", "multilabel.DecisionAccuracy", better="high", share=True)
SUBSET_ACCURACY = Metric("subset_accuracy", "multilabel.SubsetAccuracy", better="high", share=True)
MULTILABEL_AUC = replace(AUC, implementation="curves.MultilabelAUC")
MULTILABEL_AUC_PR = replace(AUC_PR, implementation="curves.MultilabelAUCPR")
MULTILABEL_LOG_LOSS = replace(LOG_LOSS, implementation="multilabel.MultilabelLogLoss")
MULTILABEL_ECE = replace(ECE, implementation="multilabel.MultilabelCalibrationError")
MULTILABEL_F1 = replace(F1, implementation="multilabel.MultilabelF1")

MAE = Metric("mae", "regression.AbsoluteError", better="low", unit="label", least=0)
RMSE = Metric("rmse", "regression.RootSquaredError", better="low", unit="label", least=0)
R2 = Metric(
    "r2", "regression.RSquared", better="high", greatest=1, undefined="the labels do not vary", implausible=0.999
)
BIAS = Metric("bias", "regression.MeanBias", better="zero", unit="label")
DEVIANCE = Metric("deviance", "regression.PoissonDeviance", better="low", least=0)
PINBALL = Metric("pinball", "regression.PinballLoss", better="low", unit="label", least=0, reads="quantiles", levels=1)
COVERAGE = Metric("coverage", "regression.IntervalCoverage", better="nominal", share=True, reads="quantiles", levels=2)

IOU = Metric("iou", "boxes.MeanIoU", better="high", share=True, implausible=0.999)
IOU_50 = Metric("iou_50", "boxes.ShareOfHits", better="high", share=True)

TOKEN_ACCURACY = Metric("token_accuracy", "tags.TokenAccuracy", better="high", share=True)
TAG_F1 = Metric("f1", "tags.TagF1", better="high", share=True)
ENTITY_F1 = Metric(
    "entity_f1",
    "tags.EntityF1",
    better="high",
    share=True,
    undefined="no entity is labelled or predicted",
    entities=True,
)
