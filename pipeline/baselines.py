"""What the baselines of a configuration are fitted to, and by which metric they are compared with the network."""

from components.baselines.config import BaselinesConfig, BaselineTask, Loss
from janus_core.kinds import headline_of, kind_of, metrics_of
from janus_core.metrics import Metric
from pipeline.config import JanusConfig
from trainer.config import Task, classes_of, quantiles_of
from trainer.names import missing_name


def baselines_config(config: JanusConfig) -> BaselinesConfig:
    """The parameters of the Baselines component."""
    kinds = {name: feature.baseline_input for name, feature in config.features.items()}
    inputs = {name: kind for name, kind in kinds.items() if kind is not None}
    indicators = [missing_name(name) for name, feature in config.features.items() if feature.missing_indicator]
    return BaselinesConfig(
        names=config.report.baselines,
        rows=config.report.baseline_rows,
        seconds=config.report.baseline_seconds,
        seed=config.seed,
        inputs={**inputs, **dict.fromkeys(indicators, "number")},
        tasks={
            name: BaselineTask(
                form=task.label_form,
                loss=_loss(config, name, task),
                classes=classes_of(task),
                levels=quantiles_of(task),
            )
            for name, task in config.tasks.items()
        },
    )


def gated_metric(config: JanusConfig, task: str, decided: bool) -> Metric:
    """The first metric of a task with a gate, else the kind's headline.

    It is not one that should be near a certain value, which predictions without any information may have too; nor,
    unless `decided`, one of a decision, whose threshold only the network has.
    """
    metrics = metrics_of(config.tasks[task])
    gated = [metrics[name] for name in config.evaluation.gated(task)]
    fit = [m for m in gated if m.better in ("high", "low") and (decided or m.reads != "decision")]
    return fit[0] if fit else headline_of(config.tasks[task])


def _loss(config: JanusConfig, name: str, task: Task) -> Loss:
    """What the compared metric asks for; where it says nothing, what the network minimises."""
    if task.label_form == "box":
        return "squared"
    if not kind_of(task).is_numeric:
        return "log"
    if task.label_form == "count":
        return "poisson"
    if quantiles_of(task):
        return "quantile"
    gated = gated_metric(config, name, decided=False).name if config.evaluation.gated(name) else ""
    by_metric: dict[str, Loss] = {"mae": "absolute", "rmse": "squared", "r2": "squared"}
    return by_metric.get(gated, "squared" if task.loss == "mse" else "absolute")
