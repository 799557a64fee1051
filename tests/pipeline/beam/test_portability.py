"""A whole pipeline by Beam's job server and worker processes, and by several workers here: the same metrics."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from tests.pipeline.beam.cluster import Cluster, running_cluster
from tests.pipeline.small import small_raw, write_table

pytestmark = [pytest.mark.slow, pytest.mark.very_slow]

STEPS = {
    "ExampleGen": "WriteShards",
    "StatisticsGen": "GenerateStatistics",
    "Transform": "WriteTransformFn",
    "Evaluator": "MergeStates",
}
"""Step → what a transform of it, and of no other step, is called."""


@dataclass(frozen=True)
class Project:
    """A working folder with a table, and pipelines over it."""

    folder: Path

    def run(self, name: str, beam: dict[str, Any], **changed: Any) -> dict[str, Any]:
        """The report of `janus run`, for a pipeline of this name."""
        raw = small_raw(self.folder, name=name, beam=beam, push={"path": str(self.folder / "serving" / name)})
        (self.folder / f"{name}.yaml").write_text(yaml.safe_dump({**raw, **changed}))
        self.janus("run", f"{name}.yaml")
        return json.loads((self.folder / f"runs/{name}/latest/report.json").read_text())

    def janus(self, *arguments: str) -> None:
        """Any command, which must succeed."""
        command = [sys.executable, "-m", "pipeline", *arguments]
        path = os.pathsep.join(filter(None, sys.path))
        done = subprocess.run(
            command,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert done.returncode == 0, done.stdout + done.stderr


@dataclass(frozen=True)
class Both:
    """The same pipeline by the direct runner and in the cluster."""

    project: Project
    direct: dict[str, Any]
    portable: dict[str, Any]
    cluster: Cluster
    bundles: dict[int, list[str]]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    project = Project(tmp_path_factory.mktemp("project"))
    write_table(project.folder, rows=400)
    direct = project.run("direct", {})
    with running_cluster(tmp_path_factory.mktemp("cluster") / "beam", project.folder) as cluster:
        portable = project.run("portable", cluster.profile())
        yield Both(project, direct, portable, cluster, cluster.bundles())


def test_the_metrics_are_those_of_the_direct_runner(both: Both) -> None:
    assert both.direct["tasks"]["delay"]["metrics"]
    _assert_close(both.portable["tasks"], both.direct["tasks"])
    assert both.portable["examples"] == both.direct["examples"]
    _assert_close(both.portable["history"], both.direct["history"])
    assert both.portable["pushed"]


def test_each_step_was_done_in_a_process_of_its_own(both: Both) -> None:
    """A worker per Beam job; none of them is this process or the one that ran the pipeline."""
    done = {
        step: {worker for worker, bundles in both.bundles.items() if any(transform in line for line in bundles)}
        for step, transform in STEPS.items()
    }
    assert all(len(workers) == 1 for workers in done.values()), done
    assert len(set.union(*done.values())) == len(STEPS)
    assert os.getpid() not in both.bundles


def test_tfmas_own_engine(both: Both) -> None:
    report = both.project.run(
        "portable",
        both.cluster.profile(),
        evaluation={**small_raw(both.project.folder)["evaluation"], "engine": "tfma"},
    )
    worked = {name for name, component in report["components"].items() if not component["cached"]}
    assert "Evaluator" in worked
    assert not worked & {"ExampleGen", "StatisticsGen", "Transform", "Trainer"}, "the arguments are the same"
    assert len(both.cluster.bundles()) == len(both.bundles) + 1
    # Batches of another size round otherwise: of rows that are alike, some no longer tie where ranks are exact.
    _assert_close(report["tasks"], both.direct["tasks"], of_ranks=2e-2)


def test_predictions(both: Both) -> None:
    data = both.project.folder / "data/table.csv"
    predict = ["predict", "direct.yaml", "--input", str(data), "--prefix", "predicted_"]
    both.project.janus(*predict, "--output", "here.parquet")
    model = next((both.project.folder / "serving/direct").glob("[0-9]*"))
    arguments = [
        "--runner=PortableRunner",
        f"--job_endpoint={both.cluster.job_endpoint}",
        "--environment_type=EXTERNAL",
        f"--environment_config={both.cluster.worker_pool}",
    ]
    before = set(both.cluster.bundles())
    both.project.janus(
        *(*predict, "--model", str(model), "--output", "there", "--beam"),
        *("--set", f"beam.args={json.dumps(arguments)}"),
    )
    here, there = (pq.read_table(both.project.folder / name) for name in ("here.parquet", "there"))
    assert there.column_names == here.column_names
    assert there.num_rows == 400
    np.testing.assert_allclose(there["predicted_delay"].to_numpy(), here["predicted_delay"].to_numpy(), rtol=1e-6)
    (worker,) = set(both.cluster.bundles()) - before
    assert any("Predict" in line for line in both.cluster.bundles()[worker])


def test_two_worker_processes_here(both: Both) -> None:
    report = both.project.run("workers", {"direct": {"direct_num_workers": 2}})
    _assert_close(report["tasks"], both.direct["tasks"])
    assert report["examples"] == both.direct["examples"]


def _assert_close(found: Any, wanted: Any, of_ranks: float = 1e-6, tolerance: float = 1e-6) -> None:
    """Equal but for `tolerance`, or `of_ranks` in the areas under curves, the time it took and what was served."""
    if isinstance(wanted, dict):
        of_the_run = {"seconds", "best_served"}
        assert found.keys() - of_the_run == wanted.keys() - of_the_run
        for key in wanted.keys() - of_the_run:
            ranks = {key, wanted.get("metric")} & {"auc", "auc_pr"}
            _assert_close(found[key], wanted[key], of_ranks, of_ranks if ranks else tolerance)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for one, other in zip(found, wanted, strict=True):
            _assert_close(one, other, of_ranks, tolerance)
    elif isinstance(wanted, float):
        assert found == pytest.approx(wanted, rel=tolerance, abs=tolerance)
    else:
        assert found == wanted
