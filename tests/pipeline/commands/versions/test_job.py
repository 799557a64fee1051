"""`janus versions` and `janus rollback`, with a serving folder, ML Metadata and reports as runs leave them."""

import json
from pathlib import Path

import pytest
import tensorflow as tf
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from components.pusher import local
from components.pusher.push import push
from components.pusher.rollback import withdrawal_notice
from components.pusher.versions import versions
from janus_core.errors import ConfigError, JanusError, ServingError
from pipeline.commands.output import print_result
from pipeline.commands.versions.job import run_rollback_job
from pipeline.commands.versions.listing import list_versions, listing_view
from pipeline.config import JanusConfig
from pipeline.dag import Places, create_pipeline
from pipeline.home import Home
from pipeline.lineage.pushes import record_rollbacks_in
from pipeline.lineage.store import NodeExecution, executions_of_run, open_store
from pipeline.report.report_json import RunReport, write_report
from pipeline.run.runner import run_on_beam
from tests.pipeline.small import small_config, write_table


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JanusConfig:
    monkeypatch.chdir(tmp_path)
    return small_config(Path(), push={"path": "serving", "keep": 3})


@pytest.fixture(scope="module")
def saved_models(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three SavedModels that add a number of their own."""
    folder = tmp_path_factory.mktemp("models")
    for number in range(3):
        module = tf.Module()
        module.add = tf.function(lambda x, n=number: x + n, input_signature=[tf.TensorSpec([None], tf.float32)])
        tf.saved_model.save(module, str(folder / str(number)), signatures={"serving_default": module.add})
    return [folder / str(number) for number in range(3)]


class Runs:
    """What runs of a pipeline leave behind: a version, a report, and what ML Metadata knows."""

    def __init__(self, config: JanusConfig):
        self.config = config
        self.home = Home(config.name)
        self.home.create()
        self.store = open_store(self.home.metadata)
        kinds = ("Model", "ModelBlessing", "InfraBlessing", "PushedModel")
        self._kinds = {name: self.store.put_artifact_type(pb.ArtifactType(name=name)) for name in kinds}
        self._steps = {
            name: self.store.put_execution_type(pb.ExecutionType(name=name)) for name in ("Pusher", "Infra", "Trainer")
        }
        contexts = {
            name: self.store.put_context_type(pb.ContextType(name=name)) for name in ("pipeline", "pipeline_run")
        }
        self._run_type = contexts["pipeline_run"]
        (self._pipeline,) = self.store.put_contexts([pb.Context(type_id=contexts["pipeline"], name=config.name)])

    def add(self, model: Path, run_id: str, stamped: bool = False) -> int | None:
        """One run that trains and pushes this; returns the version."""
        done = push(model, self.config.push.path, self.config.push.keep)
        (run,) = self.store.put_contexts([pb.Context(type_id=self._run_type, name=run_id)])
        trained = self._artifact("Model")
        self._execute("Trainer", run, [], trained)
        given = trained
        if stamped:
            given = self._artifact("InfraBlessing")
            self._execute("Infra", run, [trained], given)
        pushed = pb.Artifact(type_id=self._kinds["PushedModel"])
        pushed.custom_properties["pushed"].int_value = int(done.version is not None)
        if done.version:
            pushed.custom_properties["pushed_version"].string_value = str(done.version)
        pushed.custom_properties["content_digest"].string_value = done.digest
        (pushed_id,) = self.store.put_artifacts([pushed])
        self._execute("Pusher", run, [given], pushed_id)
        tasks = {
            "late": {"kind": "binary", "metrics": {"accuracy": 0.5, "auc": 0.75}},
            "delay": {"kind": "regression", "unit": "minutes", "metrics": {"mae": 12.5}},
        }
        folder = self.home.run_folder(run_id)
        folder.mkdir()
        report = RunReport(janus="0", pipeline="small", run_id=run_id, seconds=1.0, stack={}, tasks=tasks)
        write_report(report, folder)
        return done.version

    def _artifact(self, kind: str) -> int:
        (made,) = self.store.put_artifacts([pb.Artifact(type_id=self._kinds[kind])])
        return int(made)

    def _execute(self, step: str, run: int, reads: list[int], makes: int) -> None:
        (number,) = self.store.put_executions([pb.Execution(type_id=self._steps[step])])
        events = [pb.Event(artifact_id=read, execution_id=number, type=pb.Event.INPUT) for read in reads]
        self.store.put_events([*events, pb.Event(artifact_id=makes, execution_id=number, type=pb.Event.OUTPUT)])
        associations = [pb.Association(execution_id=number, context_id=c) for c in (run, self._pipeline)]
        self.store.put_attributions_and_associations([], associations)


@pytest.fixture
def runs(config: JanusConfig) -> Runs:
    return Runs(config)


def show(config: JanusConfig, as_json: bool = False) -> None:
    assert print_result(list_versions(config, Home(config.name)), as_json, listing_view) == 0


def listed(config: JanusConfig, capsys: pytest.CaptureFixture[str]) -> dict:
    capsys.readouterr()
    show(config, as_json=True)
    return dict(json.loads(capsys.readouterr().out))


def withdrawn(store: MetadataStore, kind: str) -> list[int]:
    """The mark of each artifact, oldest first; -1 where there is none."""
    artifacts = sorted(store.get_artifacts_by_type(kind), key=lambda artifact: artifact.id)
    return [a.custom_properties["withdrawn"].int_value if "withdrawn" in a.custom_properties else -1 for a in artifacts]


def test_an_empty_folder_is_reported(config: JanusConfig, capsys: pytest.CaptureFixture[str]) -> None:
    show(config)
    assert "there are no versions in serving" in capsys.readouterr().out
    found = listed(config, capsys)
    assert (found["versions"], found["served"]) == ([], None)
    assert not Path("runs").exists()


def test_without_metadata_the_runs_are_unknown(
    config: JanusConfig, saved_models: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    version = push(saved_models[0], config.push.path, keep=3).version
    show(config)
    out = capsys.readouterr().out
    assert str(version) in out
    assert "unknown" in out
    assert "no metadata database runs/small/metadata.db" in out


def test_each_version_is_listed_with_its_run(
    config: JanusConfig, runs: Runs, saved_models: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    one = runs.add(saved_models[0], "run-1")
    two = runs.add(saved_models[1], "run-2", stamped=True)
    runs.add(saved_models[1], "run-3")
    Path("serving/labels.json").write_text(json.dumps({"stable": one}))
    (Path("serving") / "5").mkdir()
    found = listed(config, capsys)
    assert (found["served"], found["rollback_target"], found["notes"]) == (two, one, [])
    newest, older, broken = found["versions"]
    assert [v["version"] for v in found["versions"]] == [two, one, 5]
    assert (newest["run_id"], newest["served"], older["run_id"], older["labels"]) == (
        "run-2",
        True,
        "run-1",
        ["stable"],
    )
    models = sorted(artifact.id for artifact in runs.store.get_artifacts_by_type("Model"))
    assert [older["model_id"], newest["model_id"]] == models[:2]
    assert newest["metrics"]["late"] == {"metric": "auc", "value": 0.75, "unit": None}
    assert newest["metrics"]["delay"] == {"metric": "mae", "value": 12.5, "unit": "minutes"}
    assert newest["bytes"] == sum(
        path.stat().st_size for path in (Path("serving") / str(two)).rglob("*") if path.is_file()
    )
    assert not broken["complete"]
    show(config)
    table = capsys.readouterr().out
    for text in ("run-2", "served", "label stable", "late auc 0.7500", "delay mae 12.5000 minutes", "not complete"):
        assert text in table
    assert f"goes back to {one}" in table
    assert "warning" not in table
    (Path("serving") / str(two + 1)).mkdir()
    show(config)
    assert f"warning: {two + 1} is the highest number and not complete" in capsys.readouterr().out


def test_what_cannot_be_read_is_reported_beside_the_table(
    config: JanusConfig, runs: Runs, saved_models: list[Path], capsys: pytest.CaptureFixture[str]
) -> None:
    runs.add(saved_models[0], "run-1")
    Path("runs/small/run-1/report.json").write_text("{")
    assert "runs/small/run-1/report.json cannot be read" in listed(config, capsys)["notes"][0]
    runs.home.metadata.write_text("no database, but long enough to be taken for one")
    found = listed(config, capsys)
    assert "unknown" in found["notes"][0]
    assert found["versions"][0]["run_id"] is None


@pytest.mark.parametrize("stamped", [True, False])
def test_a_rollback_is_reported_and_recorded(
    config: JanusConfig,
    runs: Runs,
    saved_models: list[Path],
    capfd: pytest.CaptureFixture[str],
    stamped: bool,
) -> None:
    one = runs.add(saved_models[0], "run-1", stamped)
    two = runs.add(saved_models[1], "run-2", stamped)
    capfd.readouterr()
    assert run_rollback_job(config, reason="wrong prices") == 0
    out, err = capfd.readouterr()
    new = versions("serving")[-1]
    assert f"rolled back from {two} to {one}, published as serving/{new}" in out
    assert f"--to {two} --force" in out
    assert err == ""
    assert withdrawn(runs.store, "Model") == [-1, 1]
    assert withdrawn(runs.store, "PushedModel") == [-1, 1]
    (execution,) = runs.store.get_executions_by_type("Rollback")
    assert execution.properties["from_version"].int_value == two
    assert execution.properties["to_version"].int_value == one
    assert execution.properties["new_version"].int_value == new
    assert execution.properties["reason"].string_value == "wrong prices"
    assert [c.name for c in runs.store.get_contexts_by_execution(execution.id)] == ["small"]
    (event,) = runs.store.get_events_by_execution_ids([execution.id])
    assert event.artifact_id == min(artifact.id for artifact in runs.store.get_artifacts_by_type("PushedModel"))

    found = listed(config, capfd)
    copy, bad, good = found["versions"]
    assert (copy["copy_of"], copy["run_id"], copy["served"]) == (one, "run-1", True)
    assert bad["withdrawn"]
    assert not good["withdrawn"]
    show(config)
    table = capfd.readouterr().out
    assert f"copy of {one}" in table
    assert "withdrawn" in table

    assert run_rollback_job(config, to=two, force=True) == 0
    assert f"the model of {two} is no longer withdrawn" in capfd.readouterr().out
    assert withdrawn(runs.store, "Model") == [-1, 0]
    assert len(runs.store.get_executions_by_type("Rollback")) == 2


def test_a_model_trained_again_is_marked_as_well(runs: Runs, config: JanusConfig, saved_models: list[Path]) -> None:
    runs.add(saved_models[0], "run-1")
    runs.add(saved_models[1], "run-2")
    run_rollback_job(config)
    assert runs.add(saved_models[1], "run-3") is None
    record_rollbacks_in(config, runs.home)
    assert withdrawn(runs.store, "Model") == [-1, 1, 1]


def test_a_rollback_that_was_killed_before_ml_metadata_is_recorded_later(
    runs: Runs, config: JanusConfig, saved_models: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.add(saved_models[0], "run-1")
    runs.add(saved_models[1], "run-2")
    with monkeypatch.context() as killed:
        killed.setattr(
            "pipeline.commands.versions.job.record_rollbacks_in", lambda config, home: (_ for _ in ()).throw(SystemExit)
        )
        with pytest.raises(SystemExit):
            run_rollback_job(config)
    assert withdrawn(runs.store, "Model") == [-1, -1]
    for _ in range(2):
        record_rollbacks_in(config, runs.home)
        assert withdrawn(runs.store, "Model") == [-1, 1]
        assert len(runs.store.get_executions_by_type("Rollback")) == 1


def test_a_metadata_database_that_cannot_be_used_does_not_stop_a_rollback(
    config: JanusConfig, saved_models: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    for model in saved_models[:2]:
        push(model, config.push.path, keep=3)
    Home(config.name).create()
    Home(config.name).metadata.write_text("no database, but long enough to be taken for one")
    assert run_rollback_job(config) == 0
    out, err = capfd.readouterr()
    assert "rolled back from" in out
    assert "the rollback is done, but is not in ML Metadata yet" in err


def test_labels_of_the_configuration_are_listed(
    config: JanusConfig, saved_models: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    _, two = (push(model, config.push.path, keep=3).version for model in saved_models[:2])
    labels = {"labels": {"stable": two}}
    config = small_config(Path(), push={"path": "serving", "keep": 3}, serving={"deployment": labels})
    assert run_rollback_job(config) == 0
    new = versions("serving")[-1]
    assert f"labelled versions (stable = {two}) do not follow the newest one: set the labels to {new}" in (
        capfd.readouterr().err
    )
    show(config)
    assert "label stable" in capfd.readouterr().out


def test_without_metadata_a_rollback_makes_none(config: JanusConfig, saved_models: list[Path]) -> None:
    for model in saved_models[:2]:
        push(model, config.push.path, keep=3)
    assert run_rollback_job(config) == 0
    assert not Home(config.name).metadata.exists()


def test_a_version_that_does_not_load_is_refused(config: JanusConfig, saved_models: list[Path]) -> None:
    one, two = (push(model, config.push.path, keep=3).version for model in saved_models[:2])
    (Path("serving") / str(one) / "saved_model.pb").write_bytes(b"no model")
    with pytest.raises(ServingError, match=f"version {one} .* does not load"):
        run_rollback_job(config)
    assert versions("serving") == [one, two]


def test_errors_name_what_there_is(config: JanusConfig, saved_models: list[Path]) -> None:
    with pytest.raises(ConfigError, match="no versions in serving"):
        run_rollback_job(config)
    one = push(saved_models[0], config.push.path, keep=3).version
    with pytest.raises(JanusError, match="the only one"):
        run_rollback_job(config)
    with pytest.raises(ConfigError, match=f"no such version in serving; there are {one}"):
        run_rollback_job(config, to=3)


def test_a_version_that_goes_while_it_is_listed_does_not_matter(
    config: JanusConfig, saved_models: list[Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (push(model, config.push.path, keep=3).version for model in saved_models[:2])
    size = local.files

    def remove_then_look(folder: str) -> dict[str, int]:
        if Path(f"serving/{one}").exists() and folder == f"serving/{two}":
            local.remove("serving", one or 0)
        return size(folder)

    monkeypatch.setattr(local, "files", remove_then_look)
    assert [version["version"] for version in listed(config, capsys)["versions"]] == [two]


@pytest.mark.very_slow
@pytest.mark.slow
def test_a_run_after_a_rollback_does_not_push_the_withdrawn_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole pipeline: two models, a rollback, the same again, and another model that is compared with the first."""
    monkeypatch.chdir(tmp_path)
    # Whoever edits the trainer while this runs should not see it trained again.
    monkeypatch.setattr("pipeline.dag.source_fingerprint", lambda *paths: "unedited")
    write_table(tmp_path)
    home = Home("small")
    home.create()

    def run(run_id: str, learning_rate: float) -> tuple[dict[str, NodeExecution], dict[str, int | float | str]]:
        config = run_config(learning_rate)
        record_rollbacks_in(config, home)
        places = Places(str(home.root), str(home.metadata), home.schemas, checkpoints=None)
        run_on_beam(create_pipeline(config, places), run_id)
        executions = executions_of_run(open_store(home.metadata), run_id)
        pushed = executions["Pusher"].output("pushed_model")
        assert pushed
        return executions, pushed.properties

    def run_config(learning_rate: float) -> JanusConfig:
        training = {"epochs": 1, "batch_size": 32, "learning_rate": learning_rate}
        return small_config(Path(), push={"path": "serving", "keep": 3}, training=training)

    first, _ = run("first", 0.001)
    second, pushed = run("second", 0.002)
    assert pushed["pushed"] == 1
    two = int(pushed["pushed_version"])
    assert run_rollback_job(run_config(0.002)) == 0
    for run_id, cached in (("again", False), ("once more", True)):
        executions, pushed = run(run_id, 0.002)
        assert executions["Trainer"].cached
        assert executions["Pusher"].cached == cached
        assert pushed["pushed"] == 0
        notice = withdrawal_notice("serving", pushed)
        assert notice
        assert f"--to {two} --force" in notice
        assert len(versions("serving")) == 3
    third, pushed = run("third", 0.003)
    baseline, served = third["Resolver"].output("model"), first["Trainer"].output("model")
    assert baseline
    assert served
    assert baseline.id == served.id, "not the model that was withdrawn"
    assert pushed["pushed"] == 1
    assert versions("serving")[-1] == int(pushed["pushed_version"])
    assert run_rollback_job(run_config(0.002), to=two, force=True) == 0
    _, pushed = run("brought back", 0.002)
    assert pushed["pushed"] == 1
    assert versions("serving")[-1] == int(pushed["pushed_version"])
