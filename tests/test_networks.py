"""Every kind of trunk and of balancing through the whole pipeline: trained, judged, pushed, served, and reported.

The kinds run one after the other in one project, so that all but the first find the transformed examples in the cache.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import yaml

from janus_core.packages import PACKAGES
from tests.pipeline.small import small_raw, write_table
from tests.project import copy_sources
from trainer.balancings import BALANCINGS
from trainer.trunks import TRUNKS

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(600)]

UNTIL_TRANSFORM = {"ExampleGen", "StatisticsGen", "SchemaGen", "ExampleValidator", "AnomalyGate", "Transform"}
EXPERTS: dict[str, dict[str, list[str]]] = {
    "shared_bottom": {},
    "mmoe": dict.fromkeys(("late", "delay"), [f"expert_{index}" for index in range(4)]),
    "cgc": {task: [f"{task}_0", f"{task}_1", "shared_0", "shared_1"] for task in ("late", "delay")},
    "ple": {
        task: [
            f"level_{level}/{name}" for level in (0, 1) for name in (f"{task}_0", f"{task}_1", "shared_0", "shared_1")
        ]
        for task in ("late", "delay")
    },
    "cross_stitch": {},
    "none": {},
}


NETWORKS = [
    ("shared_bottom", "uncertainty"),
    ("mmoe", "dwa"),
    ("cgc", "gradnorm"),
    ("ple", "pcgrad"),
    ("cross_stitch", "cagrad"),
    ("shared_bottom", "famo"),
    ("none", "fixed"),
]


def test_none_is_forgotten() -> None:
    assert {trunk for trunk, _ in NETWORKS} == set(TRUNKS) == set(EXPERTS)
    assert {balancing for _, balancing in NETWORKS} == set(BALANCINGS)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder with the sources, a table and its configuration."""
    folder = tmp_path_factory.mktemp("project")
    copy_sources(folder, *PACKAGES)
    write_table(folder, rows=1000)
    (folder / "small.yaml").write_text(yaml.safe_dump(small_raw(Path(), training={"epochs": 2, "batch_size": 32})))
    return folder


def janus(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("kind", "balancing"), NETWORKS)
def test_it_is_trained_judged_pushed_and_served(project: Path, kind: str, balancing: str) -> None:
    settings = ("--set", f"model.trunk={{kind: {kind}, units: [8]}}", "--set", f"model.balancing.kind={balancing}")
    done = janus(project, "run", "small.yaml", *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads((project / "runs/small/latest/report.json").read_text())
    if (kind, balancing) != NETWORKS[0]:
        cached = {name for name, component in report["components"].items() if component["cached"]}
        assert cached >= UNTIL_TRANSFORM
        assert "Trainer" not in cached
    assert report["blessed"]
    assert all(value is not None for task in report["tasks"].values() for value in task["metrics"].values())

    assert len(report["history"]) == 2
    assert all(epoch["late_weight"] > 0 and epoch["delay_weight"] > 0 for epoch in report["history"])
    assert (project / "runs/small/latest/training.png").stat().st_size > 10_000
    utilisation = {n: t["gate_utilisation"] for n, t in report["tasks"].items() if "gate_utilisation" in t}
    assert {name: list(experts) for name, experts in utilisation.items()} == EXPERTS[kind]
    kept = min(report["history"], key=lambda epoch: epoch["val_balanced_loss"])
    for task, experts in utilisation.items():
        assert experts == {name: kept[f"val_{task}_gate/{name}"] for name in experts}
        assert f"{task} is mixed from " in done.stdout

    model = tf.saved_model.load(str(project / report["pushed"]))
    columns = {"distance": tf.constant([100.0, 140.0], tf.float64), "carrier": tf.constant(["A", "B"])}
    answer = model.signatures["serving_columns"](**columns)
    assert answer["late"].shape == answer["delay"].shape == (2, 1)
    assert np.isfinite(answer["delay"]).all()
