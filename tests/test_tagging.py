"""Sequences and tags through the whole pipeline, from texts in CSV to a pushed model."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from pipeline.config.file import parse_config
from pipeline.report.analysis.analysis_json import ANALYSIS_FILE
from pipeline.run.job import run_job
from serving.rows import columns_of_rows
from serving.saved_model import LoadedModel
from serving.signatures import COLUMNS, signature_of

pytestmark = [pytest.mark.slow, pytest.mark.very_slow, pytest.mark.timeout(600)]

ROWS = 400
LENGTH = 6


def write_table(path: Path) -> list[str]:
    """`plan` is a verb after `to`, and a noun after `the`; Kent is a person before `says`, else a place."""
    random = np.random.default_rng(4)
    lines = ["words,pos,names,long"]
    for _ in range(ROWS):
        words, pos, names = ([], [], [])
        for _ in range(random.integers(1, 4)):
            word = ["plan", "walk", "show"][random.integers(3)]
            if random.integers(2):
                words, pos, names = [*words, "to", word], [*pos, "P", "V"], [*names, "O", "O"]
            else:
                words, pos, names = [*words, "the", word], [*pos, "D", "N"], [*names, "O", "O"]
        if random.integers(2):
            words, pos, names = ["Ann", "Kent", "says", *words], ["X", "X", "V", *pos], ["B-P", "I-P", "O", *names]
        lines.append(f"{' '.join(words)},{' '.join(pos)},{' '.join(names)},{int(len(words) > 4)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return lines


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tagging")
    write_table(folder / "data" / "t.csv")
    tags = {"kind": "sequence_tags", "sequence": "words"}
    raw = {
        "name": "tagging",
        "seed": 2,
        "data": {"path": "data", "format": "csv", "split": {"by": "hash", "eval_fraction": 0.3}},
        "features": {"words": {"kind": "sequence", "max_length": LENGTH, "encoder": "conv", "embed": 8, "units": 16}},
        "tasks": {
            "pos": {**tags, "label": "pos", "classes": ["P", "D", "V", "N", "X"]},
            "names": {**tags, "label": "names", "classes": ["O", "B-P", "I-P"]},
            "long": {"kind": "binary", "label": "long"},
        },
        "model": {"trunk": {"units": [16]}, "towers": {"default": []}, "balancing": {"kind": "uncertainty"}},
        "training": {"epochs": 6, "batch_size": 32, "learning_rate": 0.02},
        "data_gates": {"duplicates": {"level": "ignore"}, "shared_rows": {"level": "ignore"}},
        "evaluation": {"gates": {"pos": {"token_accuracy": {"min": 0.8, "max_drop": 0.1}}}},
        "push": {"path": "models"},
    }
    (folder / "tagging.yaml").write_text(yaml.safe_dump(raw), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert run_job(parse_config(raw)) == 0
    return folder


def test_the_report_has_the_metrics_and_sentences_with_their_tags(folder: Path) -> None:
    latest = folder / "runs" / "tagging" / "latest"
    report = json.loads((latest / "report.json").read_text())
    assert set(report["tasks"]["pos"]["metrics"]) == {"token_accuracy", "f1"}
    assert set(report["tasks"]["names"]["metrics"]) == {"token_accuracy", "f1", "entity_f1"}
    assert report["tasks"]["names"]["metrics"]["entity_f1"] > 0.8
    analysis = json.loads((latest / ANALYSIS_FILE).read_text())
    assert analysis["notes"] == []
    assert [one["column"] for one in analysis["tasks"]["pos"]["importance"]] == ["words"]
    shown = analysis["shown"][0]
    of_task = {answer["task"]: answer for answer in shown["answers"]}
    assert len(of_task["pos"]["label"].split()) == min(len(shown["text"].split()), LENGTH)


def test_the_pushed_model_tags_each_token_by_its_neighbours(folder: Path) -> None:
    model = LoadedModel(max((folder / "models").iterdir()))
    signature = signature_of(model.signature(COLUMNS))
    rows = [{"words": "to plan the plan"}, {"words": "Ann Kent says"}, {"words": None}, {"words": "the walk " * 9}]
    answer = model.run(COLUMNS, columns_of_rows(signature, rows))
    tags = [[tag.decode() for tag in row if tag] for row in answer["pos/tags"]]
    assert tags[0] == ["P", "V", "D", "N"]
    assert tags[2] == []
    assert len(tags[3]) == LENGTH
    assert [tag for tag in answer["names/tags"][1] if tag] == [b"B-P", b"I-P", b"O"]
    assert answer["pos"].shape == (4, LENGTH, 5)
    np.testing.assert_allclose(answer["pos"].sum(axis=2)[0], [1, 1, 1, 1, 0, 0], atol=1e-5)


def test_predict_writes_a_list_of_tags(folder: Path) -> None:
    command = [sys.executable, "-m", "pipeline", "predict", "tagging.yaml", "--input", "data/t.csv"]
    done = subprocess.run(
        [*command, "--output", "out.parquet"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    table = pq.read_table(folder / "out.parquet").to_pylist()
    assert len(table) == ROWS
    assert all(len(row["predicted_pos"]) == min(len(row["words"].split()), LENGTH) for row in table)


def test_tags_of_another_number_than_the_tokens_end_the_run_with_the_row(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = write_table(tmp_path / "data" / "t.csv")
    lines[5] = "the plan,D,O O,0"
    lines[6] = "the plan,D Z,O O,0"
    (tmp_path / "data" / "t.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert run_job(parse_config(yaml.safe_load((folder / "tagging.yaml").read_text()))) == 3
    problems = json.loads((tmp_path / "runs/tagging/latest/report.json").read_text())["problems"]
    assert "line 6: column 'pos' has 1 tags, and column 'words' 2 tokens (task 'pos')" in problems[0]
    assert "line 7: column 'pos' has the tag 'Z', which is not among the classes of task 'pos'" in problems[1]
