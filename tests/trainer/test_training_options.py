"""Other ways to run the same training end where the default does."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from tests.trainer.conftest import Trained
from tests.trainer.harness import fn_args
from tests.trainer.test_run import copy_inputs, history
from trainer.config import TrainerConfig, TrainingConfig
from trainer.distribution import is_chief
from trainer.run import run_fn

WORKER = """
import sys
from pathlib import Path
from tests.trainer.harness import fn_args
from trainer.config import TrainerConfig, TrainingConfig
from trainer.run import run_fn
config = TrainerConfig.model_validate_json(Path(sys.argv[1]).read_text())
run_fn(fn_args(config, Path(sys.argv[2])))
"""


def without_dropout(trained: Trained, **training: object) -> TrainerConfig:
    raw = trained.config.model_dump(mode="json")
    raw["model"]["trunk"]["dropout"] = 0.0
    raw["training"].update(epochs=2, **training)
    return TrainerConfig.model_validate(raw)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for sock in sockets:
        sock.bind(("127.0.0.1", 0))
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


@pytest.mark.slow
@pytest.mark.very_slow
@pytest.mark.timeout(300)
def test_two_workers_train_as_one_process(trained: Trained, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "chief", "other")]
    for folder in folders:
        folder.mkdir()
        copy_inputs(trained, folder)
    run_fn(fn_args(without_dropout(trained), folders[0]))
    config = tmp_path / "config.json"
    config.write_text(without_dropout(trained, distribution="multi_worker").model_dump_json())
    workers = [f"127.0.0.1:{port}" for port in free_ports(2)]
    processes = []
    for index, folder in enumerate(folders[1:]):
        environment = {
            **os.environ,
            "TF_CONFIG": json.dumps({"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}),
            "TF_USE_LEGACY_KERAS": "0",
            "CUDA_VISIBLE_DEVICES": "-1",
        }
        command = [sys.executable, "-c", WORKER, str(config), str(folder)]
        processes.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    for process in processes:
        output, _ = process.communicate(timeout=240)
        assert process.returncode == 0, output.decode()[-3000:]
    assert not (folders[2] / "model").exists()
    for alone, together in zip(history(folders[0]), history(folders[1]), strict=True):
        assert together == pytest.approx(alone, rel=1e-3, abs=1e-3)
    assert set(tf.saved_model.load(str(folders[1] / "model")).signatures) == {
        "serving_default", "serving_columns", "transform_features",
    }  # fmt: skip


@pytest.mark.slow
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


@pytest.mark.parametrize(
    ("config", "chief"),
    [
        ("", True),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}', False),
        ('{"cluster": {"chief": ["c:1"], "worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}', False),
        ('{"cluster": {"chief": ["c:1"], "worker": ["a:1"]}, "task": {"type": "chief", "index": 0}}', True),
    ],
)
def test_chief(monkeypatch: pytest.MonkeyPatch, config: str, chief: bool) -> None:
    monkeypatch.setenv("TF_CONFIG", config)
    assert is_chief() is chief


def options_of(trained: Trained, model: dict, **training: object) -> TrainerConfig:
    raw = trained.config.model_dump(mode="json")
    raw["model"].update(model)
    raw["training"].update(training)
    return TrainerConfig.model_validate(raw)


@pytest.mark.slow
def test_the_recipe_trains_exports_and_resumes(trained: Trained, tmp_path: Path) -> None:
    config = options_of(
        trained,
        {"encoding": "piecewise_linear", "tower_dropout": {"default": 0.1}},
        epochs=2, optimizer="adamw", weight_decay=0.01, schedule="cosine", ema=0.9,
    )  # fmt: skip
    folders = [tmp_path / name for name in ("whole", "again")]
    for folder in folders:
        folder.mkdir()
        copy_inputs(trained, folder)
        run_fn(fn_args(config, folder))
    assert history(folders[0]) == history(folders[1])
    assert history(folders[0])[-1]["val_balanced_loss"] < 1


@pytest.mark.slow
def test_the_average_of_the_weights_is_validated_and_exported(trained: Trained, tmp_path: Path) -> None:
    folders = {ema: tmp_path / str(ema) for ema in (0.0, 0.999999)}
    for ema, folder in folders.items():
        folder.mkdir()
        copy_inputs(trained, folder)
        run_fn(fn_args(options_of(trained, {}, epochs=1, ema=ema), folder))
    (plain,), (averaged,) = (history(folder) for folder in folders.values())
    # The average trails behind the weights, which themselves are trained alike.
    assert averaged["loss"] == pytest.approx(plain["loss"], rel=1e-5)
    assert averaged["val_balanced_loss"] > plain["val_balanced_loss"] * 1.001


def test_steps_ask_for_more_epochs() -> None:
    training = TrainingConfig(epochs=3, batch_size=10, min_steps=100)
    assert training.epochs_for(95) == 10
    assert training.epochs_for(10_000) == 3
    assert TrainingConfig(epochs=3).epochs_for(1) == 3
