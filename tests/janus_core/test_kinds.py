import re
import typing

import pytest

from janus_core.fingerprint import import_closure
from janus_core.kinds import KINDS, headline_of, kind_of, metrics_of, reported_headline, reported_metric
from janus_core.metrics import BIAS, COVERAGE, MAE, R2, Metric
from janus_core.packages import PACKAGES, ROOT
from trainer.config import RegressionTask, Task, TaskConfig
from trainer.heads import HEADS

CONFIGS: dict[str, type[TaskConfig]] = {
    typing.get_args(config.model_fields["kind"].annotation)[0]: config
    for config in typing.get_args(typing.get_args(Task)[0])
}


def test_the_catalogue_the_configuration_and_the_heads_know_the_same_kinds() -> None:
    assert list(KINDS) == list(CONFIGS) == list(HEADS)
    for name, kind in KINDS.items():
        assert (kind.name, kind.label_form) == (name, CONFIGS[name].label_form)
        # The metric that is shown while training is the one to look at first afterwards.
        assert HEADS[name].headline == kind.headline


def test_the_trainer_does_not_read_the_catalogue_so_that_a_changed_metric_trains_no_model_again() -> None:
    catalogue = {ROOT / "janus_core" / "kinds.py", ROOT / "janus_core" / "metrics.py"}
    assert not catalogue & import_closure("trainer.run", "trainer.preprocessing")


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_has_each_metric_once_and_a_headline_with_a_direction(kind: typing.Any) -> None:
    names = [metric.name for metric in kind.metrics]
    assert len(set(names)) == len(names)
    (headline,) = (metric for metric in kind.metrics if metric.name == kind.headline)
    assert headline.better in ("high", "low")
    assert (kind.decides is None) == (kind.is_numeric or kind.label_form == "box")


def test_metrics_of_quantiles_come_with_the_quantiles() -> None:
    def names(quantiles: list[float] | None) -> list[str]:
        loss = "quantile" if quantiles else "mse"
        task = RegressionTask(kind="regression", label="x", loss=loss, quantiles=quantiles)
        assert headline_of(task) is MAE
        assert kind_of(task).name == "regression"
        return list(metrics_of(task))

    assert names(None) == ["mae", "rmse", "r2", "bias"]
    assert names([0.5]) == ["mae", "rmse", "r2", "bias", "pinball"]
    assert names([0.1, 0.9]) == ["mae", "rmse", "r2", "bias", "pinball", "coverage"]


@pytest.mark.parametrize(
    ("metric", "better", "worse"),
    [
        (MAE, 1.0, 2.0),
        (R2, 0.9, 0.1),
        (BIAS, -1.0, 2.0),
        (BIAS, 1.0, -2.0),
        (COVERAGE, 0.85, 0.7),
        (COVERAGE, 0.75, 1.0),
    ],
)
def test_badness_orders_values(metric: Metric, better: float, worse: float) -> None:
    levels = [0.1, 0.5, 0.9]
    first, second = metric.badness(better, levels), metric.badness(worse, levels)
    assert first is not None
    assert second is not None
    assert first < second


def test_an_interval_is_as_bad_as_its_best_value() -> None:
    assert (MAE.least_badness(1.0, 2.0), R2.least_badness(0.1, 0.2)) == (1.0, -0.2)
    assert [BIAS.least_badness(*found) for found in ((-1.0, 2.0), (1.0, 2.0), (-3.0, -1.5))] == [0.0, 1.0, 1.5]
    assert COVERAGE.least_badness(0.9, 0.95, [0.1, 0.9]) == pytest.approx(0.1)
    assert COVERAGE.badness(0.9) is None


def test_units() -> None:
    assert {metric.name: metric.unit_in("minutes") for metric in KINDS["regression"].metrics} == {
        **dict.fromkeys(("mae", "rmse", "bias", "pinball"), "minutes"),
        **dict.fromkeys(("r2", "coverage")),
    }
    assert [m.name for m in KINDS["ordinal"].metrics if m.unit_in(None)] == ["mae"]


def test_reports_of_other_versions_may_hold_what_is_not_known() -> None:
    assert reported_metric({"kind": "count"}, "deviance") is reported_headline({"kind": "count"})
    assert reported_metric({"kind": "count"}, "later") is None
    assert reported_metric({"kind": "later"}, "mae") is None
    assert reported_headline({}) is None


def test_only_the_catalogue_and_the_heads_ask_for_a_kind_by_its_name() -> None:
    """All else asks for what holds of the kind, so that a new one is an entry of the catalogue."""
    names = "|".join(KINDS)
    asks = re.compile(rf"""kind\s*(?:===?|!==?)\s*["'](?:{names})["']|["'](?:{names})["']\s*==\s*\w+\.kind""")
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*"))
        if path.suffix in (".py", ".js", ".html", ".j2") and "heads" not in path.parts
        for line in path.read_text(encoding="utf-8").splitlines()
        if asks.search(line)
    ]
    assert found == []
