"""Each trunk trained and exported by run_fn: signatures agree, and a reloaded model answers as the network did."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

import trainer.run
from tests.trainer.conftest import Trained
from tests.trainer.harness import example_of, fn_args
from tests.trainer.test_run import columns_of, copy_inputs, history, rows_of
from tests.trainer.trunks.small import EVERY_KIND
from trainer.config import TrainerConfig
from trainer.expert_gates import utilisation_of
from trainer.run import run_fn
from trainer.signatures import ServingModule

pytestmark = pytest.mark.slow

OUTPUTS = ("late", "level", "delay")


def with_trunk(trained: Trained, trunk: dict, **training: object) -> TrainerConfig:
    raw = trained.config.model_dump(mode="json")
    raw["model"]["trunk"] = {"units": [8], **trunk}
    raw["training"].update(epochs=1, early_stopping=None, **training)
    return TrainerConfig.model_validate(raw)


@pytest.mark.parametrize(
    ("kind", "training"),
    [*((kind, {}) for kind in EVERY_KIND), ("ple", {"mixed_precision": "bfloat16"}), ("mmoe", {"jit_compile": True})],
)
def test_it_trains_exports_and_answers(trained: Trained, tmp_path: Path, kind: str, training: dict) -> None:
    folder = copy_inputs(trained, tmp_path)
    in_memory: list[ServingModule] = []

    def remember(module: ServingModule, path: str) -> None:
        in_memory.append(module)
        export(module, path)

    export = trainer.run.export
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer.run, "export", remember)
        run_fn(fn_args(with_trunk(trained, {"kind": kind, **EVERY_KIND[kind]}, **training), folder))
    (epoch,) = history(folder)
    assert epoch["val_balanced_loss"] < 1.0, "no better than constants"

    rows = rows_of(trained, 40)
    examples = tf.constant([example_of(row) for row in rows])
    model = tf.saved_model.load(str(folder / "model"))
    by_example = model.signatures["serving_default"](examples=examples)
    by_column = model.signatures["serving_columns"](**columns_of(rows))
    before = in_memory[0].signatures()["serving_default"](examples=examples)
    for task in OUTPUTS:
        np.testing.assert_allclose(by_example[task], by_column[task], atol=1e-5, rtol=1e-5)
        np.testing.assert_allclose(by_example[task], before[task], atol=1e-6, rtol=1e-6)
        assert np.ptp(by_example[task], axis=0).max() > 0

    gated = {task: utilisation_of(task, epoch) for task in OUTPUTS}
    if kind not in ("mmoe", "cgc", "ple"):
        assert gated == dict.fromkeys(OUTPUTS, {})
        return
    last = {task: [v for name, v in found.items() if not name.startswith("level_0/")] for task, found in gated.items()}
    assert {task: len(values) for task, values in last.items()} == dict.fromkeys(OUTPUTS, 3)
    for values in last.values():
        assert sum(values) == pytest.approx(1.0, abs=1e-5)


@pytest.fixture(scope="module")
def twice(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of two trainings of one configuration."""
    config = with_trunk(trained, {"kind": "ple", "dropout": 0.1})
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "other")]
    for folder in folders:
        run_fn(fn_args(config, copy_inputs(trained, folder)))
    return folders


def test_the_same_seed_gives_the_same_training(twice: list[Path]) -> None:
    assert history(twice[0]) == history(twice[1])


def test_tensorboard_has_the_gates(twice: list[Path]) -> None:
    values = {}
    for file in (twice[0] / "logs" / "validation").rglob("events.out.tfevents.*"):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            values.update({v.tag: float(tf.make_ndarray(v.tensor)) for v in event.summary.value if "_gate/" in v.tag})
    (epoch,) = history(twice[0])
    logged = {name.removeprefix("val_"): value for name, value in epoch.items() if "_gate/" in name}
    # Three tasks' gates of 4 experts on 2 levels, and the shared gate of 8.
    assert len(logged) == 3 * 4 * 2 + 8
    assert values == pytest.approx({f"epoch_{name}": value for name, value in logged.items()})
