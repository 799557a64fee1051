"""Which model a candidate is compared with: the one that is served."""

from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.types import Artifact, standard_artifacts

from components.intact import record_files
from components.pusher.push import push
from components.pusher.rollback import roll_back
from components.pusher.versions import versions
from components.resolver.served import ServedModel
from janus_core.errors import ConfigError


class Runs:
    """Models, of which some were pushed, and what ML Metadata knows of them."""

    def __init__(self, folder: Path):
        config = pb.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = MetadataStore(config)
        kinds = ("Model", "InfraBlessing", "PushedModel")
        self._kinds = {name: self.store.put_artifact_type(pb.ArtifactType(name=name)) for name in kinds}
        self._step = self.store.put_execution_type(pb.ExecutionType(name="step"))
        self._folder, self.base = folder, folder / "models"
        self.models: list[Artifact] = []
        self.pushed: list[Artifact] = []

    def train(self, name: str) -> int:
        """A model that is not pushed; returns its id."""
        files = self._folder / name
        files.mkdir()
        (files / "saved_model.pb").write_text(name)
        model = standard_artifacts.Model()
        model.id, model.uri = self._made("Model"), str(files)
        record_files(model.mlmd_artifact)
        self.models.append(model)
        return int(model.id)

    def push(self, name: str, stamped: bool = False) -> int:
        """A model that is pushed, as it is or as the serving check stamped it; returns its id."""
        number = self.train(name)
        given = number
        if stamped:
            given = self._made("InfraBlessing")
            self._execute(number, given)
        self.push_again(name, given)
        return number

    def push_again(self, name: str, given: int) -> None:
        """The push of a model that there is."""
        done = push(self._folder / name, self.base, keep=2)
        pushed = standard_artifacts.PushedModel()
        pushed.id = self._made("PushedModel")
        pushed.set_string_custom_property("pushed_version", str(done.version))
        self._execute(given, pushed.id)
        self.pushed.append(pushed)

    def baseline(self, candidate: int, reference: int = 0) -> int | None:
        """The id of the model that this one is compared with."""
        (artifact,) = (model for model in self.models if model.id == candidate)
        inputs = {"model": self.models, "pushed_model": self.pushed, "candidate": [artifact]}
        found = ServedModel(str(self.base), reference).resolve_artifacts(self.store, inputs)
        assert found["candidate"] == [artifact]
        return found["model"][0].id if found["model"] else None

    def _made(self, kind: str) -> int:
        (number,) = self.store.put_artifacts([pb.Artifact(type_id=self._kinds[kind])])
        return int(number)

    def _execute(self, reads: int, makes: int) -> None:
        (number,) = self.store.put_executions([pb.Execution(type_id=self._step)])
        kinds = ((reads, pb.Event.INPUT), (makes, pb.Event.OUTPUT))
        self.store.put_events([pb.Event(artifact_id=i, execution_id=number, type=kind) for i, kind in kinds])


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_there_is_none_at_first(runs: Runs) -> None:
    assert runs.baseline(runs.train("one")) is None


@pytest.mark.parametrize("stamped", [True, False])
def test_it_is_what_is_served_not_what_was_trained_last(runs: Runs, stamped: bool) -> None:
    """The second model was blessed, but failed its serving check."""
    served = runs.push("one", stamped)
    runs.train("two")
    assert runs.baseline(runs.train("three")) == served


def test_after_a_rollback_it_is_the_older_model_again(runs: Runs) -> None:
    older = runs.push("one")
    runs.push("two")
    roll_back(runs.base, lambda _: None)
    assert len(versions(runs.base)) == 3
    assert runs.baseline(runs.train("three")) == older


def test_a_run_that_changes_nothing_is_compared_with_what_was_served_before(runs: Runs) -> None:
    first = runs.push("one")
    second = runs.push("two")
    runs.push_again("two", second)
    assert runs.baseline(second) == first
    third = runs.push("three")
    # Of the first, the version is no longer there.
    assert len(versions(runs.base)) == 2
    assert (runs.baseline(second), runs.baseline(third)) == (third, second)
    assert runs.baseline(first) == third


def test_a_withdrawn_model_is_passed_over(runs: Runs) -> None:
    first, second = runs.push("one"), runs.push("two")
    third = runs.push("three")
    next(model for model in runs.models if model.id == second).set_int_custom_property("withdrawn", 1)
    assert runs.baseline(third) == first


def test_a_damaged_model_is_left_out_with_a_warning(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    first = runs.push("one")
    runs.push("two")
    Path(runs.models[1].uri, "saved_model.pb").write_text("damaged")
    assert runs.baseline(runs.train("three")) == first
    assert "a model is left out" in caplog.text


def test_a_served_version_that_no_run_pushed_is_reported(runs: Runs, caplog: pytest.LogCaptureFixture) -> None:
    first = runs.push("one")
    candidate = runs.train("three")
    push(Path(runs.models[1].uri), runs.base, keep=2)
    assert runs.baseline(candidate) == first
    assert "no run of this pipeline pushed version" in caplog.text


def test_a_reference_stays_whatever_is_served(runs: Runs) -> None:
    first = runs.push("one")
    (version,) = versions(runs.base)
    runs.push("two")
    third = runs.push("three")
    assert runs.baseline(runs.train("four"), version) == first
    assert runs.baseline(third, version) == first
    assert runs.baseline(first, version) == first
    runs.models[0].set_int_custom_property("withdrawn", 1)
    assert runs.baseline(third, version) == first


def test_an_unknown_reference_is_an_error_that_names_the_versions(runs: Runs) -> None:
    first = runs.push("one")
    (version,) = versions(runs.base)
    with pytest.raises(ConfigError, match=rf"no run of this pipeline pushed version 7; pushed versions are {version}"):
        runs.baseline(first, 7)
    Path(runs.models[0].uri, "saved_model.pb").unlink()
    with pytest.raises(ConfigError, match=rf"the model of version {version} is damaged or gone"):
        runs.baseline(first, version)
