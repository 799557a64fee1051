"""`janus runs`, `janus lineage` and `janus diff`, as they are called."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.config import JanusConfig
from tests.pipeline.commands.harness import Runs
from tests.pipeline.small import small_raw

RUN_IDS = ("2026-01-01T10-00-00", "2026-01-02T10-00-00")


@pytest.fixture
def project(config: JanusConfig, runs: Runs) -> str:
    """Two runs, of which each pushed a version; returns the configuration's file."""
    for number, run_id in enumerate(RUN_IDS, 1):
        data = runs.data(run_id)
        runs.push(run_id, data, runs.model(run_id, data), version=100 * number)
        runs.report(run_id, auc=0.7 + number / 100)
    Path("small.yaml").write_text(yaml.safe_dump(small_raw(Path(), push={"path": "serving"})))
    return "small.yaml"


def test_json_of_each_command_is_nothing_but_json(project: str) -> None:
    def printed(*arguments: str) -> dict:
        result = CliRunner().invoke(app, [*arguments, "--json"])
        assert result.exit_code == 0, result.output
        return dict(json.loads(result.stdout))

    assert [run["run_id"] for run in printed("runs", project)["runs"]] == list(reversed(RUN_IDS))
    assert printed("runs", project, "--limit", "1")["total"] == 2
    assert printed("lineage", project)["version"] == 200
    assert printed("lineage", "serving/100")["run_id"] == RUN_IDS[0]
    assert printed("diff", project)["b"] == RUN_IDS[1]


def test_graphs_are_printed_alone(project: str) -> None:
    dot = CliRunner().invoke(app, ["lineage", project, "100", "--format", "dot"])
    assert dot.stdout.startswith('digraph "version 100" {\n')
    assert dot.stdout.endswith("}\n")
    mermaid = CliRunner().invoke(app, ["lineage", project, "100", "--format", "mermaid"])
    assert mermaid.stdout.startswith("flowchart LR\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lineage", "CONFIG", "7"], "does not know what pushed version 7"),
        (["lineage", "elsewhere/7"], "no pipeline with a home in runs pushed elsewhere/7"),
        (["lineage", "CONFIG", "--format", "dot", "--json"], "--json and --format dot"),
        (["lineage", "nothing.yaml"], "no configuration file nothing.yaml"),
        (["diff", "CONFIG", "never"], "there is no runs/small/never/report.json"),
    ],
)
def test_what_is_not_there_ends_with_exit_code_2(project: str, arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, [project if argument == "CONFIG" else argument for argument in arguments])
    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout
