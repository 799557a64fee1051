"""Turns trainings into the results, the ranking and the notes of a comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.commands.compare.comparison import (
    CandidateResult,
    Change,
    Cost,
    SingleResult,
    TaskChange,
    TaskInfo,
    TaskMetrics,
    Training,
    change,
    estimate,
    mean_over_tasks,
    relative_changes,
)
from pipeline.commands.compare.variants import Candidate

Repetitions = Sequence[Training]
"""One training per repetition, in order."""


@dataclass(frozen=True)
class Trained:
    """All trainings of a comparison: candidates by name, single-task networks of both sizes by task."""

    candidates: Mapping[str, Repetitions]
    single: Mapping[str, Repetitions]
    equal: Mapping[str, Repetitions]
    factors: Mapping[str, float]


def summarise(
    candidates: Sequence[Candidate], tasks: Mapping[str, TaskInfo], trained: Trained, confidence: float
) -> tuple[list[CandidateResult], SingleResult, SingleResult]:
    """The candidates, ranked by Δm, and the single-task networks of both sizes."""
    found = [_candidate(candidate, tasks, trained, confidence) for candidate in candidates]
    ranked = sorted(found, key=lambda result: -result.delta_m.mean if result.delta_m else float("inf"))
    first = ranked[0].delta_m
    behind = [None, *(_difference(result.delta_m, first, confidence) for result in ranked[1:])]
    return (
        [result.model_copy(update={"behind": less}) for result, less in zip(ranked, behind, strict=True)],
        _single(tasks, trained.single, dict.fromkeys(tasks, 1.0)),
        _single(tasks, trained.equal, trained.factors),
    )


def notes_on(
    ranked: Sequence[CandidateResult], tasks: Mapping[str, TaskInfo], seeds: int, confidence: float
) -> list[str]:
    """What a reader must know in order not to read too much into the results."""
    notes = []
    if seeds == 1:
        notes.append("one seed says nothing about noise, so there is no verdict: repeat with --seeds 3 or more")
    if len(ranked) > 1 and seeds > 1:
        notes.append(
            f"each {confidence:.0%} interval holds for its model alone: the first of {len(ranked)} is first partly "
            "by luck"
        )
    for name, task in tasks.items():
        lacking = [result.name for result in ranked if result.changes[name].single is None]
        if lacking:
            notes.append(
                f"task {name}: {task.metric} is not defined for {', '.join(lacking)} or its single-task network, so "
                "there is no Δm"
            )
    return notes


def _candidate(
    candidate: Candidate, tasks: Mapping[str, TaskInfo], trained: Trained, confidence: float
) -> CandidateResult:
    trainings = trained.candidates[candidate.name]
    against = {
        name: {
            task: relative_changes(
                _values(trainings, task, info.metric), _values(others[task], task, info.metric), info.higher_is_better
            )
            for task, info in tasks.items()
        }
        for name, others in (("single", trained.single), ("equal", trained.equal))
    }
    return CandidateResult(
        trunk=candidate.trunk,
        balancing=candidate.balancing,
        own=candidate.own,
        cost=_cost([trainings]),
        tasks={task: _metrics(trainings, task) for task in tasks},
        changes={
            task: TaskChange(**{name: _change(changes[task], confidence) for name, changes in against.items()})
            for task in tasks
        },
        delta_m=_change(mean_over_tasks(list(against["single"].values())), confidence),
        delta_m_equal=_change(mean_over_tasks(list(against["equal"].values())), confidence),
        behind=None,
    )


def _single(
    tasks: Mapping[str, TaskInfo], trainings: Mapping[str, Repetitions], factors: Mapping[str, float]
) -> SingleResult:
    return SingleResult(
        factor=dict(factors),
        parameters={task: trainings[task][0].parameters for task in tasks},
        cost=_cost(list(trainings.values())),
        tasks={task: _metrics(trainings[task], task) for task in tasks},
    )


def _cost(networks: Sequence[Repetitions]) -> Cost:
    """Of networks that are trained one after the other."""
    return Cost(
        parameters=sum(trainings[0].parameters for trainings in networks),
        seconds=estimate([sum(t.seconds for t in together) for together in zip(*networks, strict=True)]),
        epochs=estimate([float(sum(t.epochs for t in together)) for together in zip(*networks, strict=True)]),
    )


def _metrics(trainings: Repetitions, task: str) -> TaskMetrics:
    names = trainings[0].metrics[task]
    return TaskMetrics(metrics={name: estimate(_values(trainings, task, name)) for name in names})


def _values(trainings: Repetitions, task: str, metric: str) -> list[float | None]:
    return [training.metrics[task][metric] for training in trainings]


def _change(values: Sequence[float] | None, confidence: float) -> Change | None:
    return None if values is None else change(values, confidence)


def _difference(change_: Change | None, first: Change | None, confidence: float) -> Change | None:
    if change_ is None or first is None:
        return None
    return change([ours - best for ours, best in zip(change_.values, first.values, strict=True)], confidence)
