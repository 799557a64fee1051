"""The whole pipeline on 3,000 real flights: run, run again, change a gate, a layer, a source file; serve the model.

The runs share one project, a copy of the sources, and build on each other in the order of the fixtures.
"""

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from janus_core.packages import PACKAGES
from serving.warmup import FILE as WARMUP_FILE
from tests.components.examples import read_records
from tests.project import SOURCES, copy_sources

pytestmark = pytest.mark.slow

ROWS = 3000
SETTINGS = (
    "training.epochs=2",
    "features.contact={kind: hashed, buckets: 16, sensitive: true}",
    "evaluation.gates={status: {auc: {min: 0.5, max_drop: 0.3}}, arr_delay: {mae: {max: 60.0}}}",
)
AFTER_TRAINING = {"Resolver", "Evaluator", "ServingCheck", "Pusher"}
ALL = {
    "ExampleGen",
    "StatisticsGen",
    "ImportSchemaGen",
    "ExampleValidator",
    "AnomalyGate",
    "Transform",
    "Baselines",
    "Trainer",
    *AFTER_TRAINING,
}


@dataclass(frozen=True)
class Run:
    """One `janus run`, as its user sees it."""

    code: int
    out: str
    err: str
    report: dict[str, Any]

    @property
    def worked(self) -> set[str]:
        """The components that were not cached."""
        return {name for name, component in self.report["components"].items() if not component["cached"]}


@dataclass(frozen=True)
class Project:
    """A folder with the sources, the configuration and the data."""

    folder: Path

    def janus(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Any command."""
        return subprocess.run(
            [sys.executable, "-m", "pipeline", *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def run(self, *settings: str) -> Run:
        """`janus run` with settings."""
        overrides = [part for setting in (*SETTINGS, *settings) for part in ("--set", setting)]
        done = self.janus("run", "configs/flights.yaml", *overrides)
        path = self.folder / "runs/flights/latest/report.json"
        assert path.exists(), done.stderr
        report = json.loads(path.read_text())
        return Run(done.returncode, done.stdout, done.stderr, report)

    def versions(self) -> list[str]:
        """The pushed versions."""
        return sorted(path.name for path in (self.folder / "models/flights").glob("[0-9]*"))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project of its own, with a sample of the flights."""
    folder = tmp_path_factory.mktemp("project")
    copy_sources(folder, *PACKAGES, "configs", "schema")
    subprocess.run(
        [sys.executable, "configs/flights.py", "--rows", str(ROWS), "--output", "data/flights"],
        cwd=folder,
        capture_output=True,
        check=True,
    )
    add_persons(folder)
    return Project(folder)


def add_persons(folder: Path) -> None:
    """A column that nothing uses, and one that is sensitive."""
    path = folder / "data/flights/flights.csv"
    with path.open(newline="") as file:
        header, *rows = csv.reader(file)
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*header, "mail", "contact"])
        writer.writerows([*row, f"p{n}@example.com", f"c{n % 20}@example.org"] for n, row in enumerate(rows))
    with (folder / "schema/flights.pbtxt").open("a") as file:
        file.write('feature { name: "contact" type: BYTES }\n')


@pytest.fixture(scope="module")
def first(project: Project) -> Run:
    """A run from nothing."""
    return project.run()


@pytest.fixture(scope="module")
def second(project: Project, first: Run) -> Run:
    """The same again."""
    return project.run()


@pytest.fixture(scope="module")
def gate(project: Project, second: Run) -> Run:
    """With another gate, which is kept as well."""
    return project.run("evaluation.gates.arr_delay.mae.max=59")


@pytest.fixture(scope="module")
def strict(project: Project, gate: Run) -> Run:
    """With a gate that nothing keeps."""
    return project.run("evaluation.gates.arr_delay.mae.max=1")


@pytest.fixture(scope="module")
def served(project: Project, strict: Run) -> dict[str, Any]:
    """What a process with nothing but TensorFlow gets from the pushed model."""
    (examples,) = (project.folder / "runs/flights" / "root" / "ExampleGen/examples").glob("*/Split-eval")
    client = Path(__file__).with_name("serving_client.py")
    model = project.folder / "models/flights" / project.versions()[-1]
    done = subprocess.run(
        [sys.executable, str(client), str(model), str(examples)],
        cwd=project.folder / "models",
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def layer(project: Project, served: dict[str, Any]) -> Run:
    """With another layer size."""
    return project.run("model.towers.default=[16]")


@pytest.fixture(scope="module")
def reference(project: Project, layer: Run) -> Run:
    """The same, beside the version that is served itself, not the one before."""
    version = layer.report["pushed"].rpartition("/")[2]
    return project.run("model.towers.default=[16]", f"evaluation.reference={version}")


@pytest.fixture(scope="module")
def withdrawn(project: Project, layer: Run, reference: Run) -> Run:
    """The same after a rollback of that version."""
    back = project.janus("rollback", "configs/flights.yaml")
    assert back.returncode == 0, back.stderr
    version = layer.report["pushed"].rpartition("/")[2]
    return project.run("model.towers.default=[16]", f"evaluation.reference={version}")


@pytest.fixture(scope="module")
def source(project: Project, withdrawn: Run) -> Run:
    """With an edited source file of the trainer, and models pushed into the package serving/, as older ones were."""
    with (project.folder / "trainer" / "network.py").open("a") as file:
        file.write("\n# An edit.\n")
    return project.run("model.towers.default=[16]", "push.path=serving/flights")


def test_a_run_from_nothing_ends_with_a_pushed_model(project: Project, first: Run) -> None:
    assert (first.code, first.err) == (0, "")
    assert first.worked == ALL
    assert set(first.report["components"]) == ALL
    assert all(component["state"] == "complete" for component in first.report["components"].values())
    assert first.report["pushed"] == f"models/flights/{project.versions()[-1]}"
    assert (project.folder / first.report["pushed"] / "saved_model.pb").exists()
    assert first.report["blessed"]
    assert first.report["problems"] == []
    assert first.report["peak_memory_mb"] < 4096


def test_personal_data_stay_where_they_are(project: Project, first: Run) -> None:
    home = project.folder / "runs/flights"
    examples = [record for path in home.glob("root/ExampleGen/*/*/Split-*") for record in read_records(path)]
    assert any(b"@example.org" in record for record in examples)
    assert not any(b"@example.com" in record for record in examples), "nothing uses the column"
    assert not any(b"@example.com" in path.read_bytes() for path in home.rglob("*") if path.is_file())
    report = [path for path in (home / "latest").resolve().rglob("*") if path.is_file()]
    pushed = [path for path in (project.folder / "models/flights").rglob("*") if path.is_file()]
    names = {path.name for path in (*report, *pushed)}
    assert names > {"report.html", "analysis.json", "model_card.md", "run.log", "janus.json", WARMUP_FILE.name}
    assert [path for path in (*report, *pushed) if b"@example.org" in path.read_bytes()] == []


def test_the_report_counts_rows_and_labels(first: Run) -> None:
    examples, tasks = first.report["examples"], first.report["tasks"]
    assert examples["train"] + examples["eval"] == ROWS
    assert tasks["status"]["labelled"] == examples
    assert 0 < tasks["arr_delay"]["labelled"]["eval"] < examples["eval"], "cancelled flights have no delay"
    assert {"accuracy", "auc", "auc_pr", "log_loss", "f1", "ece"} == set(tasks["status"]["metrics"])
    assert {"mae", "rmse", "r2", "bias"} == set(tasks["arr_delay"]["metrics"])
    assert "origin=JFK" in tasks["arr_delay"]["slices"]
    assert tasks["status"]["baseline"] == {}


def test_the_terminal_shows_a_line_per_component_and_the_table(project: Project, first: Run) -> None:
    lines = first.out.splitlines()
    assert sorted(line.split()[0] for line in lines if line.endswith("✓")) == sorted(ALL)
    for word in ("epoch 2/2", "arr_delay", "✓ ≥ 0.5 passed", f"pushed to {first.report['pushed']}"):
        assert word in first.out
    shown = project.janus("report", "configs/flights.yaml")
    assert shown.returncode == 0
    assert "arr_delay" in shown.stdout


def test_the_same_again_is_all_cached(project: Project, first: Run, second: Run) -> None:
    assert (second.code, second.err) == (0, "")
    assert second.worked == set()
    assert second.report["pushed"] == first.report["pushed"]
    # In the second run there is a version to be compared with: its own.
    best = {task: values.pop("best_served", {}) for task, values in second.report["tasks"].items()}
    assert {value["worse_by"] for metrics in best.values() for value in metrics.values()} == {0.0}
    assert second.report["tasks"] == first.report["tasks"]
    assert "nothing new to do" in second.out
    runs = project.folder / "runs/flights"
    plots = [(runs / run.report["run_id"] / "training.png").read_bytes() for run in (first, second)]
    assert plots[0] == plots[1]


def test_a_changed_gate_evaluates_again_and_trains_nothing(first: Run, gate: Run) -> None:
    assert (gate.code, gate.err) == (0, "")
    assert gate.worked == {"Evaluator", "Pusher"}
    assert gate.report["tasks"]["arr_delay"]["metrics"] == first.report["tasks"]["arr_delay"]["metrics"]
    assert gate.report["pushed"] == first.report["pushed"], "the same model needs no new version"


def test_a_failed_gate_pushes_nothing(project: Project, strict: Run) -> None:
    assert (strict.code, strict.err) == (4, "")
    assert strict.worked == {"Evaluator", "Pusher"}
    assert not strict.report["blessed"]
    assert strict.report["pushed"] is None
    assert len(strict.report["problems"]) == 1
    assert "arr_delay" in strict.report["problems"][0]
    assert "✗ ≤ 1 FAILED" in strict.out
    assert "not pushed" in strict.out


def test_a_changed_layer_trains_again_and_is_compared_with_the_last_model(
    project: Project, first: Run, layer: Run
) -> None:
    assert (layer.code, layer.err) == (0, "")
    assert layer.worked == {"Trainer", *AFTER_TRAINING}
    baseline = layer.report["tasks"]["arr_delay"]["baseline"]
    assert baseline == pytest.approx(first.report["tasks"]["arr_delay"]["metrics"], abs=1e-5)
    assert layer.report["pushed"] != first.report["pushed"]
    assert (project.folder / first.report["pushed"]).exists()


def test_a_fixed_reference_is_compared_with_whatever_is_served(first: Run, layer: Run, reference: Run) -> None:
    assert (reference.code, reference.err) == (0, "")
    assert reference.worked == {"Resolver", "Evaluator", "Pusher"}, "it trains nothing"
    assert layer.report["baseline_version"] == int(first.report["pushed"].rpartition("/")[2])
    assert reference.report["baseline_version"] == int(layer.report["pushed"].rpartition("/")[2])
    delay = reference.report["tasks"]["arr_delay"]
    assert delay["baseline"] == pytest.approx(delay["metrics"])
    assert f"the baseline is the model of version {reference.report['baseline_version']}" in reference.out


def test_a_reference_that_was_withdrawn_is_named_and_not_pushed_again(layer: Run, withdrawn: Run) -> None:
    assert (withdrawn.code, withdrawn.err) == (0, "")
    version = layer.report["pushed"].rpartition("/")[2]
    assert withdrawn.report["baseline_version"] == int(version)
    assert any(f"withdrew the model of version {version}" in warning for warning in withdrawn.report["warnings"])
    assert withdrawn.report["pushed"] is None
    assert "was withdrawn by a rollback" in withdrawn.report["problems"][0]


def test_an_edited_source_trains_again(layer: Run, source: Run) -> None:
    assert (source.code, source.err) == (0, "")
    assert source.worked == {"Trainer", *AFTER_TRAINING}
    for task, found in source.report["tasks"].items():
        assert found["metrics"] == pytest.approx(layer.report["tasks"][task]["metrics"], abs=1e-6), "the same seed"


def test_a_folder_of_the_package_serving_can_still_be_pushed_to(project: Project, source: Run) -> None:
    (version,) = (project.folder / "serving/flights").glob("[0-9]*")
    assert source.report["pushed"] == f"serving/flights/{version.name}"
    assert version.name not in project.versions()
    listed = project.janus("versions", "configs/flights.yaml", "--json", "--set", "push.path=serving/flights")
    assert [found["version"] for found in json.loads(listed.stdout)["versions"]] == [int(version.name)]


def test_the_tour_opens_the_artifacts(project: Project, source: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(project.folder))
    monkeypatch.setenv("JANUS_CONFIG", "configs/flights.yaml")
    tour = nbformat.read(SOURCES / "docs/tour.ipynb", as_version=4)
    (project.folder / "docs").mkdir()
    NotebookClient(tour, timeout=300, resources={"metadata": {"path": project.folder / "docs"}}).execute()
    outputs = [output for cell in tour.cells for output in cell.get("outputs", [])]
    said = "".join(output["text"] for output in outputs if output.get("name") == "stdout")
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    assert f"run {source.report['run_id']} of flights: exit code 0" in said
    assert "validation_ok: True" in said
    assert source.report["pushed"] in said
    shown = [output["data"].get("text/html", "") for output in outputs if "data" in output]
    for view in ("facets-overview", "tfma-nb-slicing-metrics", "No anomalies found", "serving_columns", "JFK"):
        assert view in said + "".join(shown)
    mae = f"{source.report['tasks']['arr_delay']['metrics']['mae']:.6f}"
    assert any(mae in table for table in shown), "TFMA's reader gives what the report says"


def test_the_pushed_model_needs_nothing_but_tensorflow(served: dict[str, Any]) -> None:
    assert not {"tfx", "tfx_bsl", "tensorflow_transform", "trainer", "pipeline", "components"} & set(served["imported"])


def test_the_pushed_model_says_what_the_evaluator_measured(first: Run, served: dict[str, Any]) -> None:
    tasks = first.report["tasks"]
    assert served["rows"] == first.report["examples"]["eval"]
    assert served["mae"] == pytest.approx(tasks["arr_delay"]["metrics"]["mae"], abs=1e-5)
    assert served["accuracy"] == pytest.approx(tasks["status"]["metrics"]["accuracy"], abs=1e-5)


def test_both_signatures_say_the_same(served: dict[str, Any]) -> None:
    rows = served["rows"]
    assert served["difference"] < 1e-5
    assert served["outputs"] == {
        "status": [rows, 3],
        "status/classes": [rows, 3],
        "status/probabilities": [rows, 3],
        "arr_delay": [rows, 1],
    }
    assert served["one_row"]["arr_delay"] == [1, 1]


def test_a_carrier_that_was_never_seen_is_predicted(served: dict[str, Any]) -> None:
    assert served["finite"]
