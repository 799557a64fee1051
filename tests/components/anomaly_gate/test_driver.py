"""Which statistics the labels are compared with: those of the last blessed run before the data were ingested."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb

from components.anomaly_gate.driver import blessed_statistics
from components.intact import record_files


class Runs:
    """Runs of StatisticsGen, Trainer and Evaluator in ML Metadata."""

    def __init__(self, folder: Path):
        config = pb.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store, self._folder = MetadataStore(config), folder

    def add(self, blessed: bool | None = None, withdrawn: bool = False) -> int:
        """One run; it trained and evaluated unless `blessed` is None. Returns its statistics' id."""
        examples = self._artifact("Examples")
        statistics = self._artifact("ExampleStatistics")
        self._execute("StatisticsGen", {"examples": examples}, {"statistics": statistics})
        # Transform reads the examples as well, and can have statistics among its outputs.
        other = self._artifact("ExampleStatistics")
        self._execute("Transform", {"examples": examples}, {"pre_transform_stats": other})
        if blessed is not None:
            model = self._artifact("Model", withdrawn=int(withdrawn))
            blessing = self._artifact("ModelBlessing", blessed=int(blessed), current_model_id=model)
            self._execute("Evaluator", {"examples": examples, "model": model}, {"blessing": blessing})
        return statistics

    def _artifact(self, kind: str, **properties: int) -> int:
        number = self.store.put_artifact_type(pb.ArtifactType(name=kind))
        artifact = pb.Artifact(type_id=number)
        for name, value in properties.items():
            artifact.custom_properties[name].int_value = value
        (made,) = self.store.put_artifacts([artifact])
        artifact.id, artifact.uri = made, str(self._folder / str(made))
        (self._folder / str(made)).mkdir()
        record_files(artifact)
        self.store.put_artifacts([artifact])
        return made

    def _execute(self, step: str, reads: Mapping[str, int], makes: Mapping[str, int]) -> None:
        number = self.store.put_execution_type(pb.ExecutionType(name=step))
        (execution,) = self.store.put_executions([pb.Execution(type_id=number)])
        events = []
        for direction, artifacts in ((pb.Event.INPUT, reads), (pb.Event.OUTPUT, makes)):
            for key, artifact in artifacts.items():
                event = pb.Event(artifact_id=artifact, execution_id=execution, type=direction)
                event.path.steps.add().key = key
                events.append(event)
        self.store.put_events(events)

    def before(self, statistics: int) -> int | None:
        """The id of the statistics that these are compared with."""
        address = blessed_statistics(self.store, statistics)
        return int(Path(address).name) if address else None


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path)


def test_the_first_run_has_none(runs: Runs) -> None:
    assert runs.before(runs.add()) is None
    assert runs.before(runs.add(blessed=False)) is None


def test_the_last_blessed_run_counts_and_not_the_last_one(runs: Runs) -> None:
    runs.add(blessed=True)
    blessed = runs.add(blessed=True)
    runs.add(blessed=False)
    runs.add(blessed=True, withdrawn=True)
    assert runs.before(runs.add()) == blessed


def test_the_answer_of_a_run_that_changes_nothing_stays_the_same(runs: Runs) -> None:
    first = runs.add(blessed=True)
    second = runs.add(blessed=True)
    runs.add(blessed=True)
    assert runs.before(second) == first
