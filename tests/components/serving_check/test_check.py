"""What is found in models that are wrong in one way each."""

from pathlib import Path

import pytest
import tensorflow as tf

from components.serving_check import check
from components.serving_check.check import check_model, latency_problems
from components.serving_check.config import CheckConfig, LatencyLimits
from components.serving_check.process import Ended
from components.serving_check.result import CheckResult
from serving.check import trial
from serving.check.__main__ import main
from serving.check.findings import Latency
from serving.check.requests import UNSEEN
from serving.description import ColumnDescription, ModelDescription, write_description
from tests.components.serving_check import models
from tests.components.serving_check.models import ROWS, Errors, edit, save_model

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spares the seconds that TensorFlow takes to start; test_executor.py starts real processes."""

    def run(command: list[str], *_: object) -> Ended:
        main(*map(Path, command[-3:]))
        return Ended(1.0, 500.0, None)

    monkeypatch.setattr(check, "run_limited", run)
    monkeypatch.setattr(trial, "CALLS", {1: 5, 128: 5})


def problems_of(model: Path, config: CheckConfig | None = None) -> list[str]:
    result = check_model(model, ROWS, config or CheckConfig())
    assert result.passed == (not result.problems)
    return result.problems


def test_a_good_model_passes(good_model: Path) -> None:
    result = check_model(good_model, ROWS, CheckConfig())
    assert result.problems == []
    assert result.passed
    assert result.signatures == ["serving_default", "serving_columns", "level"]
    assert result.rows == len(ROWS)
    assert result.size_mb == pytest.approx(
        sum(path.stat().st_size for path in good_model.rglob("*") if path.is_file()) / 2**20, abs=0.001
    )
    assert list(result.latency) == ["serving_default", "serving_columns"]
    for sizes in result.latency.values():
        assert list(sizes) == ["1", "128"]
        assert all(0 < found.p50_ms <= found.p99_ms for found in sizes.values())
    assert CheckResult.model_validate_json(result.model_dump_json()) == result


def test_an_unseen_category_that_gives_nan(tmp_path: Path) -> None:
    found = problems_of(save_model(tmp_path / "model", models.nan_for_unseen))
    assert "serving_default: output price of the row with an unseen value in color is nan" in found
    assert "serving_columns: output twice of the row with an unseen value in color is nan" in found
    assert len(found) == 4


def test_missing_columns_that_give_nan(tmp_path: Path) -> None:
    found = problems_of(save_model(tmp_path / "model", models.nan_without_stops))
    assert "serving_columns: output price of the row without optional columns is nan" in found
    assert len(found) == 4


def test_a_real_row_that_gives_infinity(tmp_path: Path) -> None:
    found = problems_of(save_model(tmp_path / "model", models.infinite_for_large))
    assert "serving_default: output price of row 4 is inf" in found
    assert len(found) == 4


def test_values_that_should_be_refused(tmp_path: Path) -> None:
    found = problems_of(save_model(tmp_path / "model", refuses=False))
    assert found == [
        *(
            f"serving_columns: {value} in column stops is answered, and should be refused"
            for value in ("inf", "-inf", "1e+30", "0.5")
        ),
        "serving_columns: nan in column x is answered, and should be refused",
    ]


def _is_wrong(color: tf.Tensor) -> tf.Tensor:
    return tf.constant([UNSEEN]) == color


def _refused(color: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.debugging.Assert(~tf.reduce_any(_is_wrong(color)), ["no image"])]):
        return tf.fill(tf.shape(color), "")


@pytest.mark.parametrize(
    ("errors", "problem"),
    [
        (lambda color: tf.where(_is_wrong(color), "no image", ""), None),
        (lambda color: tf.fill(tf.shape(color), ""), ", after one with an image, has the errors [b'', b'']"),
        (
            lambda color: tf.fill(tf.shape(color), tf.where(tf.reduce_any(_is_wrong(color)), "no image", "")),
            ", after one with an image, has the errors [b'no image', b'no image']",
        ),
        (_refused, " is refused with all rows beside it: "),
    ],
    ids=["its own error", "no error", "an error of all", "refused"],
)
def test_a_row_with_no_image_is_an_error_of_its_own(tmp_path: Path, errors: Errors, problem: str | None) -> None:
    model = save_model(tmp_path / "model", errors=errors)
    column = ColumnDescription(dtype="string", required=False, kinds=["image"])
    write_description(model, ModelDescription(tasks={}, columns={"color": column}))
    found = problems_of(model)
    if problem is None:
        assert found == []
    else:
        assert len(found) == 1
        assert found[0].startswith(f"serving_columns: a row with no image in column color{problem}")


def test_answers_that_depend_on_the_batch(tmp_path: Path) -> None:
    found = problems_of(save_model(tmp_path / "model", models.relative_to_batch))
    assert any(
        problem.startswith("serving_default, 1 row at a time: output price of row 1 is 0.0") for problem in found
    )
    assert any(problem.startswith("serving_columns, 1024 rows at a time: output twice of row 1") for problem in found)
    assert all("in a batch of 5" in problem for problem in found)


def test_signatures_that_disagree(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model", columns_price=lambda *row: models.good_price(*row) + 0.01)
    found = problems_of(model)
    assert found[0].startswith("serving_columns: output price of row 1 and of 4 rows more is 202.0")
    assert found[0].endswith("but 202.0 in serving_default")
    assert found[0].count("202.0") == 2


def test_another_prediction_than_the_trainers(good_model: Path, tmp_path: Path) -> None:
    model = save_model(tmp_path / "model")
    edit(model, models.swap_outputs)
    found = problems_of(model)
    assert found[0] == (
        "serving_default: output price of row 1 and of 4 rows more is 404.0, but 202.0 in the Trainer's model"
    )
    assert len(found) == 4


def test_python_in_the_graph(tmp_path: Path) -> None:
    found = problems_of(save_model(tmp_path / "model", models.by_python))
    assert len(found) == 1
    assert "EagerPyFunc: it calls Python" in found[0]


def test_an_operation_that_is_not_tensorflows(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model")
    edit(model, models.use_unknown_operation)
    found = problems_of(model)
    assert len(found) == 1
    assert found[0].startswith("node strange of the function ")
    assert found[0].endswith(" is a DecodeStrangely: not one of TensorFlow's core operations")


def test_a_missing_signature(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model")
    edit(model, lambda meta_graph: meta_graph.signature_def.pop("serving_columns"))
    assert problems_of(model) == ["the model has no signature serving_columns"]


def test_damaged_variables(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model")
    (variables,) = model.glob("variables/variables.data*")
    variables.write_bytes(variables.read_bytes()[:100])
    found = problems_of(model)
    assert len(found) == 1
    assert found[0].startswith("TensorFlow Serving's loader refuses the model: ")


def test_a_damaged_graph(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model")
    graph = model / "saved_model.pb"
    graph.write_bytes(graph.read_bytes()[:-100])
    found = problems_of(model)
    assert len(found) == 1
    assert found[0].startswith("saved_model.pb cannot be read: ")


@pytest.mark.slow
def test_a_slow_model(good_model: Path, tmp_path: Path) -> None:
    limits = CheckConfig(latency=LatencyLimits(batch_1_p50_ms=5))
    assert problems_of(good_model, limits) == []
    found = problems_of(save_model(tmp_path / "model", models.slow), limits)
    assert len(found) == 2
    assert found[0].startswith("serving_default: the median of 1 row is ")
    assert found[0].endswith(" ms (serving.latency.batch_1_p50_ms: 5)")


def test_each_limit_of_latency() -> None:
    measured = {"serving_default": {"1": Latency(p50_ms=1, p99_ms=2), "128": Latency(p50_ms=3, p99_ms=4)}}
    at = LatencyLimits(batch_1_p50_ms=1, batch_1_p99_ms=2, batch_128_p50_ms=3, batch_128_p99_ms=4)
    assert list(latency_problems(measured, at)) == []
    below = LatencyLimits(batch_1_p50_ms=0.5, batch_1_p99_ms=1.5, batch_128_p50_ms=2.5, batch_128_p99_ms=3.5)
    assert list(latency_problems(measured, below)) == [
        "serving_default: the median of 1 row is 1 ms (serving.latency.batch_1_p50_ms: 0.5)",
        "serving_default: the 99th percentile of 1 row is 2 ms (serving.latency.batch_1_p99_ms: 1.5)",
        "serving_default: the median of 128 rows is 3 ms (serving.latency.batch_128_p50_ms: 2.5)",
        "serving_default: the 99th percentile of 128 rows is 4 ms (serving.latency.batch_128_p99_ms: 3.5)",
    ]


def test_a_large_model(good_model: Path) -> None:
    (problem,) = problems_of(good_model, CheckConfig(size_limit_mb=0.01))
    assert problem.startswith("the model's files have 0.")
    assert problem.endswith(" MB (serving.size_limit_mb: 0.01)")


def test_a_process_that_does_not_end_well(good_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], _: object, log: Path, *__: object) -> Ended:
        main(*map(Path, command[-3:]))
        log.write_text("Killed\n")
        return Ended(5.0, 700.0, "was killed after 5 s (serving.time_limit_seconds)")

    monkeypatch.setattr(check, "run_limited", run)
    result = check_model(good_model, ROWS, CheckConfig(time_limit_seconds=5))
    assert not result.passed
    assert result.problems == ["the model's process, done, was killed after 5 s (serving.time_limit_seconds)"]
    assert (result.seconds, result.peak_memory_mb) == (5.0, 700.0)
