"""Other ways to run the same training end where the default does."""

from pathlib import Path

import pytest

from tests.trainer.conftest import Trained
from tests.trainer.harness import fn_args
from tests.trainer.test_run import copy_inputs, history
from trainer.config import TrainerConfig
from trainer.run import run_fn


def without_dropout(trained: Trained, **training: object) -> TrainerConfig:
    raw = trained.config.model_dump(mode="json")
    raw["model"]["trunk"]["dropout"] = 0.0
    raw["training"].update(epochs=2, **training)
    return TrainerConfig.model_validate(raw)


@pytest.mark.parametrize(
    "options", [{"jit_compile": True}, {"mixed_precision": "bfloat16"}, {"distribution": "mirrored"}]
)
def test_options_train_as_the_default_does(trained: Trained, tmp_path: Path, options: dict) -> None:
    folders = [tmp_path / "default", tmp_path / "option"]
    for folder, chosen in zip(folders, ({}, options), strict=True):
        folder.mkdir()
        copy_inputs(trained, folder)
        run_fn(fn_args(without_dropout(trained, **chosen), folder))
    tolerance = 0.05 if "mixed_precision" in options else 1e-3
    assert history(folders[1])[-1]["val_balanced_loss"] == pytest.approx(
        history(folders[0])[-1]["val_balanced_loss"], rel=tolerance
    )
