"""`janus lineage`."""

import hashlib
import json
import re
from pathlib import Path

import pytest
import yaml

from components.pusher.state import JOURNAL, Rollback
from janus_core.errors import ConfigError
from pipeline.commands.lineage.command import LineageFormat, print_lineage
from pipeline.commands.lineage.formats import lineage_dot, lineage_mermaid
from pipeline.commands.lineage.version_lineage import (
    Lineage,
    LineageStep,
    read_lineage,
    target_of_config,
    target_of_path,
)
from pipeline.config import JanusConfig
from tests.pipeline.commands.harness import Runs, add_version
from tests.pipeline.small import small_raw

FIRST, SECOND = "2026-01-01T10-00-00", "2026-01-02T10-00-00"


def pushed_twice(runs: Runs) -> tuple[int, int]:
    """Two runs of the same data: the second takes them from the cache and trains again; returns the Models' ids."""
    data = runs.data(FIRST, span=3)
    one = runs.model(FIRST, data, 0.1)
    runs.push(FIRST, data, one, version=100)
    runs.report(FIRST, auc=0.7)
    runs.again(SECOND, "ExampleGen", {"examples": data["examples"]})
    runs.again(SECOND, "Transform", {"transform_graph": data["graph"], "transformed_examples": data["transformed"]})
    two = runs.model(SECOND, data, 0.2, base=one)
    runs.push(SECOND, data, two, version=200, baseline=one)
    runs.report(SECOND, auc=0.8)
    return one, two


def step(lineage: Lineage, node: str) -> LineageStep:
    return next(found for found in lineage.steps if found.node == node)


def roll_back(config: JanusConfig, source: int, copy: int, served: int) -> None:
    record = Rollback.model_validate(
        {
            "time": f"2026-01-03T00:00:{copy % 60:02d}+00:00",
            "from": served,
            "to": source,
            "new_version": copy,
            "from_digest": f"digest {served}",
            "to_digest": f"digest {source}",
            "withdrawn": True,
            "user": "ada",
            "reason": 'worse "on" Mondays',
            "published": True,
        }
    )
    journal = Path(config.push.path) / JOURNAL
    before = journal.read_text() if journal.exists() else ""
    journal.write_text(before + record.model_dump_json(by_alias=True) + "\n")
    add_version(config, copy)


def test_a_version_leads_to_data_schema_code_settings_evaluation_and_push(config: JanusConfig, runs: Runs) -> None:
    one, two = pushed_twice(runs)
    found = read_lineage(target_of_config(config, None))
    assert (found.version, found.origin, found.run_id, found.notes) == (200, 200, SECOND, [])
    assert [(step.node, step.run_id) for step in found.steps] == [
        ("ExampleGen", FIRST),
        ("ImportSchemaGen", FIRST),
        ("Transform", FIRST),
        ("Trainer", SECOND),
        ("Evaluator", SECOND),
        ("Pusher", SECOND),
    ]
    generated, imported, transform, trained = found.steps[:4]
    (examples,) = generated.outputs["examples"]
    properties = found.artifacts[examples].properties
    assert (properties["span"], properties["input_fingerprint"]) == (3, "total_bytes:10")
    assert properties["num_examples"] == {"train": 80, "eval": 20}
    assert (generated.code, generated.settings["data"]["split"]) == ("codeOfExampleGen", {"by": "hash"})
    (schema,) = imported.outputs["schema"]
    content = (Path(found.artifacts[schema].uri) / "schema.pbtxt").read_bytes()
    assert found.artifacts[schema].properties["sha256"] == hashlib.sha256(content).hexdigest()
    assert transform.code == "codeOfTransform+codeOfFunctions"
    assert (trained.code, trained.settings["trainer"]["training"]) == ("codeOfTrainer", {"learning_rate": 0.2})
    assert trained.outputs == {"model": [two]}
    assert found.evaluation["late"].metrics == {"auc": 0.8}
    # The model that training started from is named, but not followed.
    assert found.artifacts[one].properties == {"run_id": FIRST, "pushed_version": "100"}


def test_an_older_version_is_found_by_number_and_by_path(config: JanusConfig, runs: Runs) -> None:
    one, _ = pushed_twice(runs)
    by_number = read_lineage(target_of_config(config, "100"))
    assert by_number.run_id == FIRST
    assert step(by_number, "Trainer").outputs == {"model": [one]}
    assert by_number == read_lineage(target_of_config(config, "serving/100/"))
    assert by_number.steps == read_lineage(target_of_path(str(Path("serving/100").resolve()))).steps


def test_a_copy_leads_to_the_version_that_was_pushed(
    config: JanusConfig, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    pushed_twice(runs)
    roll_back(config, source=100, copy=201, served=200)
    roll_back(config, source=201, copy=202, served=201)
    found = read_lineage(target_of_path("serving/202"))
    assert (found.version, found.origin, found.run_id) == (202, 100, FIRST)
    assert [(copy.of, copy.version) for copy in found.copies] == [(100, 201), (201, 202)]
    assert print_lineage("serving/202") == 0
    out = capsys.readouterr().out
    assert 'copy of 201, by a rollback of ada at 2026-01-03T00:00:22+00:00: worse "on" Mondays' in out
    assert "version 100 was pushed" in out
    dot = lineage_dot(found)
    assert 'version100 -> version201 [label="rollback 2026-01-03T00:00:21+00:00"];' in dot
    assert "version201 -> version202" in dot


def test_graphs_have_each_step_and_artifact_and_quote_what_would_end_a_label(config: JanusConfig, runs: Runs) -> None:
    data = runs.data(FIRST, fingerprint='a "b" \\ [c]|d')
    runs.push(FIRST, data, runs.model(FIRST, data), version=100)
    runs.report(FIRST)
    found = read_lineage(target_of_config(config, "100"))
    dot, mermaid = lineage_dot(found), lineage_mermaid(found)
    assert (
        dot.count("shape=box") == mermaid.count('["') - mermaid.count('(["') - mermaid.count('[["') == len(found.steps)
    )
    assert dot.count("shape=ellipse") == mermaid.count('(["') == len(found.artifacts)
    assert dot.count(" -> ") == mermaid.count("-->")
    assert '\\nfingerprint a \\"b\\" \\\\ [c]|d\\n' in dot
    assert "fingerprint a #34;b#34; #92; #91;c#93;#124;d<br/>" in mermaid
    for line in dot.splitlines():
        assert len(re.findall(r'(?<!\\)(?:\\\\)*"', line)) % 2 == 0
    examples = data["examples"]
    trainer, transform = step(found, "Trainer").execution, step(found, "Transform").execution
    assert f'artifact{examples} -> step{transform} [label="examples"];' in dot
    assert f'  step{trainer} -->|"model"| artifact{step(found, "Trainer").outputs["model"][0]}\n' in mermaid


def test_the_tree_shows_what_a_person_looks_for(
    config: JanusConfig, runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    pushed_twice(runs)
    Path("small.yaml").write_text(yaml.safe_dump(small_raw(Path(), push={"path": "serving"})))
    assert print_lineage("small.yaml", "200") == 0
    out = capsys.readouterr().out
    for text in (
        "version 200  serving/200",
        "training.learning_rate: 0.2",
        "code: codeOfTrainer",
        "base_model: Model",
        f"of run {FIRST}, version 100",
        "late gate: auc ≥ 0.6 passed",
        "fingerprint: total_bytes:10",
        "rows: train 80, eval 20",
        "pushed to: serving/200",
    ):
        assert text in out
    assert print_lineage("small.yaml", "200", LineageFormat.JSON) == 0
    assert json.loads(capsys.readouterr().out)["run_id"] == SECOND


def test_a_lost_report_costs_the_evaluation_alone(config: JanusConfig, runs: Runs) -> None:
    data = runs.data(FIRST)
    runs.push(FIRST, data, runs.model(FIRST, data), version=100)
    found = read_lineage(target_of_config(config, "100"))
    assert found.evaluation == {}
    assert f"the evaluation is unknown: there is no runs/small/{FIRST}/report.json" in found.notes[0]
    assert len(found.steps) == 6


def test_what_cannot_be_found_is_reported_with_the_remedy(config: JanusConfig, runs: Runs) -> None:
    with pytest.raises(ConfigError, match="there are no versions in serving: `janus run CONFIG` pushes"):
        target_of_config(config, None)
    pushed_twice(runs)
    with pytest.raises(ConfigError, match=r"does not know what pushed version 7 \(versions in serving: 100, 200\)"):
        target_of_config(config, "7")
    with pytest.raises(ConfigError, match="'seven' is not a version: give its number"):
        target_of_config(config, "seven")
    with pytest.raises(ConfigError, match="other/100 is not in the configuration's push.path, serving"):
        target_of_config(config, "other/100")
    with pytest.raises(ConfigError, match=r"no pipeline with a home in runs pushed serving/7 \(pipelines"):
        target_of_path("serving/7")
    with pytest.raises(ConfigError, match="is a version itself"):
        print_lineage("serving/100", "200")
    runs.home.metadata.unlink()
    with pytest.raises(ConfigError, match=r"there is no metadata database runs/small/metadata\.db: version 100"):
        target_of_config(config, "100")
