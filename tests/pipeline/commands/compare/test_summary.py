"""A summary, its table and its plots, from trainings whose figures are known."""

from pathlib import Path

import pytest
from matplotlib.image import imread
from rich.console import Console

from pipeline.commands.compare.comparison import Comparison
from pipeline.commands.compare.summary import Trained, notes_on, summarise
from pipeline.commands.compare.table import comparison_view
from pipeline.commands.compare.variants import candidates
from tests.pipeline.commands.compare.comparisons import TASKS, trainer_config, trainings, two_candidates


def comparison() -> Comparison:
    wanted, trained = two_candidates()
    ranked, single, equal = summarise(wanted, TASKS, trained, confidence=0.95)
    return Comparison(
        janus="0",
        pipeline="small",
        created="2026-11-24T15-04-05",
        stack={},
        confidence=0.95,
        seeds=[5, 6],
        epochs=2,
        examples={"train": 160, "eval": 40},
        tasks=TASKS,
        candidates=ranked,
        single=single,
        equal=equal,
        baselines={"delay": {"linear": 2.25, "boosting": None}},
        notes=notes_on(ranked, TASKS, 2, 0.95),
    )


def test_the_changes_by_hand() -> None:
    own = comparison().own
    late, delay = own.changes["late"].single, own.changes["delay"].single
    assert late is not None
    assert delay is not None
    assert late.values == pytest.approx([0.0, 0.025])
    assert delay.values == pytest.approx([-0.1, -0.2])
    assert own.delta_m is not None
    assert own.delta_m.values == pytest.approx([-0.05, -0.0875])
    assert own.delta_m.mean == pytest.approx(-0.06875)
    assert own.delta_m.standard_error == pytest.approx(0.01875)
    assert own.changes["delay"].equal is not None
    assert own.changes["delay"].equal.values == pytest.approx([-2 / 9, -3 / 9])


def test_the_ranking_is_by_delta_m() -> None:
    found = comparison()
    assert [result.name for result in found.candidates] == ["mmoe × fixed", "shared_bottom × fixed"]
    assert [result.own for result in found.candidates] == [False, True]
    assert found.candidates[0].behind is None
    behind = found.candidates[1].behind
    assert behind is not None
    assert behind.values == pytest.approx([-0.05 - 0.05, -0.0875 - 0.1])


def test_costs_of_single_task_networks_are_added_up() -> None:
    found = comparison()
    assert found.single.cost.parameters == 160
    assert found.single.cost.seconds.mean == 3.0
    assert found.single.cost.epochs.mean == 4.0
    assert found.own.cost.parameters == 100
    assert found.own.cost.seconds.mean == 2.0


def test_an_undefined_metric_has_no_delta_m_and_ranks_last() -> None:
    wanted, trained = two_candidates()
    broken = {**trained.candidates, "mmoe × fixed": trainings([None, 0.9], [9.0, 9.0])}
    ranked, _, _ = summarise(
        wanted, TASKS, Trained(broken, trained.single, trained.equal, trained.factors), confidence=0.95
    )
    assert [result.name for result in ranked] == ["shared_bottom × fixed", "mmoe × fixed"]
    assert ranked[1].delta_m is None
    assert ranked[1].behind is None
    assert any("auc is not defined for mmoe × fixed" in note for note in notes_on(ranked, TASKS, 2, 0.95))


def test_one_seed_gives_no_verdict_and_says_why() -> None:
    single = trainings([0.8], [10.0])
    wanted = candidates(trainer_config(), [], [])
    trained = Trained(
        {wanted[0].name: trainings([0.9], [9.0])},
        dict.fromkeys(TASKS, single),
        dict.fromkeys(TASKS, single),
        dict.fromkeys(TASKS, 1.0),
    )
    ranked, _, _ = summarise(wanted, TASKS, trained, confidence=0.95)
    assert ranked[0].delta_m is not None
    assert ranked[0].delta_m.mean == pytest.approx((0.125 + 0.1) / 2)
    assert ranked[0].delta_m.verdict is None
    assert any("one seed says nothing about noise" in note for note in notes_on(ranked, TASKS, 1, 0.95))


def test_a_result_survives_its_file() -> None:
    found = comparison()
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_the_table_says_what_was_found() -> None:
    console = Console(width=130, record=True, file=Path("/dev/null").open("w", encoding="utf-8"))  # noqa: SIM115
    console.print(comparison_view(comparison()))
    text = console.export_text()
    for part in (
        "0.8100 ± 0.0100",
        "11.5000 ± 0.5000",
        "-15.00% ± 63.53",
        "(38 labelled)",
        "mae [minutes] ↓",
        "shared_bottom × fixed (yours)",
        "ranking by Δm",
        "2 single-task networks",
        "linear",
        "2.2500",
        "first of 2 is first partly by luck",
    ):
        assert part in text, part


def test_plots_are_pictures(tmp_path: Path) -> None:
    from pipeline.commands.compare.plot import plot_ranking, plot_tasks

    for draw in (plot_tasks, plot_ranking):
        path = tmp_path / f"{draw.__name__}.png"
        draw(comparison(), path)
        image = imread(path)
        assert image.shape[1] > 600
        assert image[..., :3].std() > 0.01
