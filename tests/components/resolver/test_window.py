"""Which examples are trained on together."""

import json
import logging
from pathlib import Path

import pytest
from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.types import standard_artifacts

from components.example_gen.parameters import COLUMNS_PROPERTY, SETTINGS_PROPERTY
from components.resolver.window import NewestSpans

GATE = "components.anomaly_gate.component.AnomalyGate"
OTHERS = "earlier runs of this pipeline ingested no others"


class Ingested:
    """Examples with files in a folder, and what ML Metadata knows of them."""

    def __init__(self, folder: Path):
        self._folder = folder
        config = pb.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = MetadataStore(config)
        self._kinds = {name: self.store.put_artifact_type(pb.ArtifactType(name=name)) for name in ("Examples", "Stats")}
        self._steps = {
            name: self.store.put_execution_type(pb.ExecutionType(name=name)) for name in ("StatisticsGen", GATE)
        }
        self.all: list[standard_artifacts.Examples] = []

    def add(self, span: int, gate: tuple[str, ...] = ("COMPLETE",), settings: str = "same", files: bool = True) -> int:
        """Examples of a span, which the gate met so often and left in these states; returns their id."""
        (made,) = self.store.put_artifacts([pb.Artifact(type_id=self._kinds["Examples"])])
        artifact = standard_artifacts.Examples()
        artifact.id, artifact.uri = made, str(self._folder / str(made))
        artifact.set_int_custom_property("span", span)
        artifact.set_string_custom_property(SETTINGS_PROPERTY, settings)
        if files:
            Path(artifact.uri).mkdir()
        self.all.append(artifact)
        statistics = self._execute("StatisticsGen", made, "COMPLETE", makes="Stats")
        for state in gate:
            self._execute(GATE, statistics, state)
        return made

    def resolve(self, spans: int) -> list[int]:
        """The ids of the artifacts that are chosen when the last one is the current run's."""
        given = {"examples": [*reversed(self.all)], "newest": self.all[-1:]}
        resolved = NewestSpans(spans, GATE).resolve_artifacts(self.store, given)
        assert resolved["newest"] == self.all[-1:]
        return [artifact.id for artifact in resolved["examples"]]

    def _execute(self, step: str, reads: int, state: str, makes: str | None = None) -> int:
        execution = pb.Execution(type_id=self._steps[step], last_known_state=pb.Execution.State.Value(state))
        (number,) = self.store.put_executions([execution])
        events = [pb.Event(artifact_id=reads, execution_id=number, type=pb.Event.INPUT)]
        made = 0
        if makes:
            (made,) = self.store.put_artifacts([pb.Artifact(type_id=self._kinds[makes])])
            events.append(pb.Event(artifact_id=made, execution_id=number, type=pb.Event.OUTPUT))
        self.store.put_events(events)
        return made


@pytest.fixture
def ingested(tmp_path: Path) -> Ingested:
    return Ingested(tmp_path)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "janus.progress")
    return caplog


def test_the_newest_spans_come_newest_first(ingested: Ingested, logged: pytest.LogCaptureFixture) -> None:
    ids = [ingested.add(span) for span in (1, 2, 3)]
    assert ingested.resolve(2) == [ids[2], ids[1]]
    assert logged.messages == ["training on spans 3, 2"]


def test_fewer_spans_are_logged(ingested: Ingested, logged: pytest.LogCaptureFixture) -> None:
    first = ingested.add(7)
    assert ingested.resolve(3) == [first]
    assert logged.messages == [f"training on 1 of 3 spans: 7; {OTHERS}"]


def test_gaps_between_spans_do_not_count(ingested: Ingested) -> None:
    """TFX numbers spans that are dates by days."""
    ids = [ingested.add(span) for span in (15706, 15737, 15765)]
    assert ingested.resolve(3) == ids[::-1]


def test_of_one_span_the_latest_counts(ingested: Ingested) -> None:
    ingested.add(1)
    again, newest = ingested.add(1), ingested.add(2)
    assert ingested.resolve(2) == [newest, again]


def test_of_the_newest_span_the_current_run_s_count(ingested: Ingested) -> None:
    """An older artifact, which TFX's cache brought back."""
    ids = [ingested.add(1), ingested.add(2), ingested.add(2)]
    ingested.all[1], ingested.all[2] = ingested.all[2], ingested.all[1]
    assert ingested.resolve(2) == [ids[1], ids[0]]


def test_a_span_after_the_current_one_is_not_taken(ingested: Ingested) -> None:
    """Whoever went back to an earlier span does not want to train on what came later."""
    ids = [ingested.add(span) for span in (1, 3, 2)]
    assert ingested.resolve(3) == [ids[2], ids[0]]


@pytest.mark.parametrize("gate", [("FAILED",), (), ("COMPLETE", "FAILED"), ("CACHED", "FAILED")])
def test_what_the_gate_rejected_is_left_out(
    ingested: Ingested, gate: tuple[str, ...], logged: pytest.LogCaptureFixture
) -> None:
    first = ingested.add(1)
    ingested.add(2, gate=gate)
    newest = ingested.add(3, gate=())
    assert ingested.resolve(2) == [newest, first]
    assert logged.messages == ["training on spans 3, 1; span 2 is left out (not passed by AnomalyGate)"]


@pytest.mark.parametrize("gate", [("CACHED",), ("FAILED", "COMPLETE"), ("COMPLETE", "CACHED")])
def test_what_the_gate_passed_in_the_end_is_taken(ingested: Ingested, gate: tuple[str, ...]) -> None:
    ids = [ingested.add(1, gate=gate), ingested.add(2, gate=())]
    assert ingested.resolve(2) == ids[::-1]


def test_examples_of_other_settings_give_way_to_earlier_ones(
    ingested: Ingested, logged: pytest.LogCaptureFixture
) -> None:
    ingested.add(1, settings="other")
    fitting = ingested.add(2)
    ingested.add(2, settings="other")
    newest = ingested.add(3)
    assert ingested.resolve(3) == [newest, fitting]
    assert logged.messages == [
        f"training on 2 of 3 spans: 3, 2; span 1 is left out (ingested with other settings); {OTHERS}"
    ]


def test_examples_that_were_not_ingested_are_ignored(ingested: Ingested, logged: pytest.LogCaptureFixture) -> None:
    ingested.add(1)
    newest = ingested.add(2)
    del ingested.all[0].mlmd_artifact.custom_properties[SETTINGS_PROPERTY]
    assert ingested.resolve(2) == [newest]
    assert logged.messages == [f"training on 1 of 2 spans: 2; {OTHERS}"]


def test_examples_whose_files_are_gone_are_left_out(ingested: Ingested, logged: pytest.LogCaptureFixture) -> None:
    ingested.add(1, files=False)
    newest = ingested.add(2)
    assert ingested.resolve(2) == [newest]
    assert "span 1 is left out (its files are gone)" in logged.text


def test_spans_may_be_text(ingested: Ingested) -> None:
    ids = [ingested.add(9), ingested.add(10)]
    for artifact, span in zip(ingested.all, ("9", "10"), strict=True):
        artifact.mlmd_artifact.custom_properties["span"].string_value = span
    assert ingested.resolve(2) == ids[::-1]


def test_a_span_that_was_ingested_without_a_feature_is_left_out(
    ingested: Ingested, logged: pytest.LogCaptureFixture
) -> None:
    ids = [ingested.add(span) for span in (1, 2, 3, 4)]
    for artifact, columns in zip(ingested.all[1:], (["a", "b", "c"], ["a"], ["a", "b"]), strict=True):
        artifact.set_string_custom_property(COLUMNS_PROPERTY, json.dumps(columns))
    assert ingested.resolve(3) == [ids[3], ids[1], ids[0]], "the first has all columns of its table"
    assert "span 3 is left out (ingested without 'b'; `--span 3` ingests it again)" in logged.text
