"""Every kind of task: what its label looks like, how it is decided, and what it is measured by.

A new kind is an entry here, a class of its configuration in `trainer.config.tasks` and a head in `trainer.heads`. The
Trainer reads neither this module nor `janus_core.metrics`, so that a change of a metric trains no model again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from janus_core import metrics as m
from janus_core.metrics import Metric
from janus_core.strict import LabelForm


@dataclass(frozen=True)
class TaskKind:
    """What holds of a kind of task.

    Attributes:
        name: as in `tasks.<name>.kind`.
        label_form: what a row's label is.
        metrics: in the order in which reports show them.
        headline: the name of the metric to look at first.
        decides: how one class is chosen: the second of two above a threshold that is exported with the model, the most
            probable, or the median of ordered ones; each: any number of classes, those above 0.5; tokens: the most
            probable of each token; None of numbers.
        parts: the names of a prediction's numbers, in their order, where they have names of their own.
    """

    name: str
    label_form: LabelForm
    metrics: tuple[Metric, ...]
    headline: str
    decides: Literal["threshold", "most_probable", "median", "each", "tokens"] | None = None
    parts: tuple[str, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """Whether the label is a number."""
        return self.label_form in ("number", "count")


_NUMBERS = (m.MAE, m.RMSE, m.R2, m.BIAS)

KINDS: dict[str, TaskKind] = {
    kind.name: kind
    for kind in (
        TaskKind(
            "binary",
            label_form="class",
            metrics=(m.DECIDED_ACCURACY, m.AUC, m.AUC_PR, m.LOG_LOSS, m.DECIDED_F1, m.ECE),
            headline="auc",
            decides="threshold",
        ),
        TaskKind(
            "multiclass",
            label_form="class",
            metrics=(m.ACCURACY, m.AUC, m.AUC_PR, m.LOG_LOSS, m.F1, m.ECE),
            headline="auc",
            decides="most_probable",
        ),
        TaskKind(
            "ordinal",
            label_form="class",
            metrics=(m.ACCURACY, m.AUC, m.CLASS_DISTANCE, m.QWK, m.LOG_LOSS, m.F1, m.ECE),
            headline="mae",
            decides="median",
        ),
        TaskKind(
            "multilabel",
            label_form="classes",
            metrics=(
                m.MULTILABEL_ACCURACY,
                m.SUBSET_ACCURACY,
                m.MULTILABEL_AUC,
                m.MULTILABEL_AUC_PR,
                m.MULTILABEL_LOG_LOSS,
                m.MULTILABEL_F1,
                m.MULTILABEL_ECE,
            ),
            headline="auc",
            decides="each",
        ),
        TaskKind("regression", label_form="number", metrics=(*_NUMBERS, m.PINBALL, m.COVERAGE), headline="mae"),
        TaskKind("count", label_form="count", metrics=(m.DEVIANCE, *_NUMBERS), headline="deviance"),
        TaskKind(
            "box",
            label_form="box",
            metrics=(m.IOU, m.IOU_50),
            headline="iou",
            parts=("top", "left", "bottom", "right"),
        ),
        TaskKind(
            "sequence_tags",
            label_form="tags",
            metrics=(m.TOKEN_ACCURACY, m.TAG_F1, m.ENTITY_F1),
            headline="token_accuracy",
            decides="tokens",
        ),
    )
}


class _Task(Protocol):
    @property
    def kind(self) -> str: ...


def kind_of(task: _Task) -> TaskKind:
    """The kind of a task of the configuration."""
    return KINDS[task.kind]


def metrics_of(task: _Task) -> dict[str, Metric]:
    """A task's metrics by their names, which its gates may be on."""
    levels = len(getattr(task, "quantiles", None) or [])
    entities = any(name.startswith("B-") for name in getattr(task, "classes", []))
    return {
        metric.name: metric
        for metric in kind_of(task).metrics
        if metric.levels <= levels and (entities or not metric.entities)
    }


def headline_of(task: _Task) -> Metric:
    """The metric of a task to look at first."""
    return metrics_of(task)[kind_of(task).headline]


def reported_metric(task: Mapping[str, Any], name: str) -> Metric | None:
    """A metric of a task in report.json; None where another version of Janus wrote what this one does not know."""
    kind = KINDS.get(task.get("kind", ""))
    return next((metric for metric in kind.metrics if metric.name == name), None) if kind else None


def reported_headline(task: Mapping[str, Any]) -> Metric | None:
    """The metric of a task in report.json to look at first; None of a kind that is not known."""
    kind = KINDS.get(task.get("kind", ""))
    return reported_metric(task, kind.headline) if kind else None
