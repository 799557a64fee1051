"""Results of earlier runs that are damaged on the disk: the next run names the file and makes the result again."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from janus_core.packages import PACKAGES
from tests.pipeline.small import small_raw, write_table
from tests.project import copy_sources

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder in which one run has pushed a model."""
    folder = tmp_path_factory.mktemp("damaged")
    copy_sources(folder, *PACKAGES)
    write_table(folder, rows=2000)
    raw = small_raw(Path(), training={"epochs": 1, "batch_size": 32}, push={"path": "pushed"})
    raw["report"] = {"baselines": []}
    (folder / "small.yaml").write_text(yaml.safe_dump(raw))
    janus(folder)
    return folder


def janus(folder: Path) -> dict[str, Any]:
    """The report of a run that ended well."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "run", "small.yaml"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    report: dict[str, Any] = json.loads((folder / "runs/small/latest/report.json").read_text())
    return report


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize(
    ("node", "pattern", "damage"),
    [
        ("ExampleGen", "ExampleGen/examples/*/Split-train/*", flip),
        ("StatisticsGen", "StatisticsGen/statistics/*/Split-eval/*", cut),
        ("SchemaGen", "SchemaGen/schema/*/schema.pbtxt", cut),
        ("Transform", "Transform/transform_graph/*/transform_fn/saved_model.pb", flip),
        ("Transform", "Transform/transformed_examples/*/Split-train/*", cut),
        ("Trainer", "Trainer/model/*/Format-Serving/variables/variables.data*", flip),
        ("Trainer", "Trainer/model/*/Format-Serving/saved_model.pb", Path.unlink),
        ("Trainer", "Trainer/model_run/*/history.json", cut),
        ("Evaluator", "Evaluator/evaluation/*/*metrics*", flip),
        ("ServingCheck", "ServingCheck/blessing/*/stamped_model/variables/variables.data*", flip),
    ],
)
def test_a_damaged_result_is_made_again(folder: Path, node: str, pattern: str, damage: Callable[[Path], None]) -> None:
    # The run that follows a damage may make newer artifacts: the newest is what the next run would take.
    newest = max((folder / "runs/small/root").glob(pattern), key=lambda path: path.stat().st_mtime)
    damage(newest)
    report = janus(folder)
    assert not report["components"][node]["cached"]
    assert any(newest.name in warning for warning in report["warnings"]), report["warnings"]


def test_what_was_made_again_is_cached(folder: Path) -> None:
    report = janus(folder)
    assert [name for name, found in report["components"].items() if not found["cached"]] == []
    # The labels of this table do drift.
    assert [warning for warning in report["warnings"] if "data_gates.label_drift" not in warning] == []
