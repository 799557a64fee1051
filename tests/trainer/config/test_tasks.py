"""Tasks: what each kind accepts, and what is wrong between them."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from trainer.config import Task, TrainerConfig, dependency_order, task_problems

_TASK: TypeAdapter = TypeAdapter(Task)


def task(kind: str, **settings: Any) -> Task:
    return _TASK.validate_python({"kind": kind, "label": "y", **settings})


def error_of(kind: str, **settings: Any) -> tuple[str, str]:
    """The key and the message of the only mistake."""
    with pytest.raises(ValidationError) as caught:
        task(kind, **settings)
    (found,) = caught.value.errors()
    return ".".join(map(str, found["loc"])), found["msg"]


@pytest.mark.parametrize(
    ("settings", "key", "message"),
    [
        ({"kind": "binary", "class_weights": {"2": 1.0}}, "binary.class_weights", "'2' is not one of the classes 0, 1"),
        ({"kind": "binary", "class_weights": {1: 0}}, "binary.class_weights", "'1' must be a number above 0, got 0"),
        ({"kind": "binary", "class_weights": {1: "x"}}, "binary.class_weights", "must be a number above 0, got 'x'"),
        ({"kind": "binary", "class_weights": {1: float("nan")}}, "binary.class_weights", "number above 0, got nan"),
        ({"kind": "binary", "class_weights": {True: 2.0}}, "binary.class_weights", "put it in quotes"),
        ({"kind": "binary", "class_weights": "even"}, "binary.class_weights", "expected 'balanced' or each class's"),
        ({"kind": "binary", "gamma": 1.0}, "binary", "`gamma` goes with `loss: focal` only"),
        ({"kind": "binary", "loss": "focal", "gamma": -1.0}, "binary.gamma", "greater than or equal to 0"),
        ({"kind": "ordinal", "classes": ["a"]}, "ordinal.classes", "at least 2"),
        ({"kind": "multilabel", "classes": ["a", "b"], "class_weights": {}}, "multilabel.class_weights", "Extra"),
        ({"kind": "multilabel", "classes": ["a", "b"], "separator": ""}, "multilabel.separator", "at least 1"),
        (
            {"kind": "multilabel", "classes": ["a", "b;c"], "separator": ";"},
            "multilabel.separator",
            "'b;c' would be cut",
        ),
        ({"kind": "multilabel", "classes": ["a", " b"], "separator": ";"}, "multilabel.separator", "' b' would be cut"),
        ({"kind": "multilabel", "classes": ["a", "b"], "empty": "x"}, "multilabel.empty", "'negative' or 'masked'"),
        ({"kind": "regression", "loss": "quantile"}, "regression", "needs `quantiles`"),
        ({"kind": "regression", "quantiles": [0.5]}, "regression", "goes with `loss: quantile` only"),
        ({"kind": "regression", "loss": "quantile", "quantiles": []}, "regression.quantiles", "at least 1"),
        ({"kind": "regression", "loss": "quantile", "quantiles": [0.5, 1.0]}, "regression.quantiles.1", "less than 1"),
        ({"kind": "regression", "loss": "quantile", "quantiles": [0.9, 0.1]}, "regression.quantiles", "ascending"),
        (
            {"kind": "regression", "loss": "quantile", "quantiles": [0.5, 0.5]},
            "regression.quantiles",
            "without repeats",
        ),
        ({"kind": "count", "loss": "mse"}, "count.loss", "'poisson'"),
    ],
)
def test_mistakes_are_named(settings: dict, key: str, message: str) -> None:
    found_key, found_message = error_of(**settings)
    assert found_key == key
    assert message in found_message


def test_a_configuration_survives_its_json() -> None:
    for settings in (
        {"kind": "binary", "loss": "focal", "class_weights": {1: 5}, "given": "other", "sample_weight": "w"},
        {"kind": "multiclass", "classes": [1, 2, 3], "class_weights": "balanced"},
        {"kind": "multilabel", "classes": ["a", "b"], "separator": "|", "empty": "masked"},
        {"kind": "regression", "loss": "quantile", "quantiles": [0.1, 0.9]},
    ):
        made = task(**settings)
        assert _TASK.validate_json(made.model_dump_json()) == made


def tasks(**given: str | None) -> dict[str, Task]:
    return {name: task("binary", label=f"{name}_label", given=other) for name, other in given.items()}


def test_a_chain_of_given_tasks_is_fine() -> None:
    chain = tasks(pay="buy", click=None, buy="click")
    assert task_problems(chain) == []
    assert dependency_order(chain) == ["click", "buy", "pay"]


def test_the_order_is_the_configurations_where_nothing_is_given() -> None:
    assert dependency_order(tasks(c=None, a=None, b="a")) == ["c", "a", "b"]


@pytest.mark.parametrize(
    ("made", "problems"),
    [
        (tasks(a="a"), ["tasks.a.given: a task cannot be given itself"]),
        (tasks(a="x", b=None), ["tasks.a.given: no task 'x'; other binary tasks are: b"]),
        (
            {**tasks(a="b"), "b": task("regression", label="z")},
            ["tasks.a.given: 'b' is a regression task, it must be a binary one"],
        ),
        (
            tasks(d="a", a="b", b="c", c="a", e=None),
            ["tasks.a.given, tasks.b.given, tasks.c.given: a cycle, a → b → c → a; remove one of these keys"],
        ),
        (
            {**tasks(a=None), "b": task("count", label="z", sample_weight="a_label")},
            ["tasks.b.sample_weight: column 'a_label' is the label of task 'a'"],
        ),
    ],
)
def test_problems_between_tasks(made: dict[str, Task], problems: list[str]) -> None:
    assert task_problems(made) == problems


def config(**changes: Any) -> TrainerConfig:
    return TrainerConfig.model_validate(
        {
            "seed": 1,
            "features": {"x": {"kind": "numeric"}},
            "tasks": {"t": {"kind": "multilabel", "label": "y", "classes": ["a", "b"], **changes}},
            "model": {},
            "training": {},
        }
    )


@pytest.mark.parametrize(
    ("changes", "again"),
    [
        ({"loss": "focal", "gamma": 1.0}, False),
        ({"loss_weight": 0.5}, False),
        ({"classes": ["a", "c"]}, True),
        ({"separator": "|"}, True),
        ({"empty": "masked"}, True),
        ({"sample_weight": "w"}, True),
    ],
)
def test_transform_runs_again_only_for_what_it_reads(changes: dict, again: bool) -> None:
    assert (config(**changes).preprocessing() != config().preprocessing()) is again
