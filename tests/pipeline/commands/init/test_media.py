"""Images, sequences and tags per token, as a whole proposal takes them from a table."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import yaml

from janus_core.errors import DataError
from janus_core.tables.config import DataConfig
from pipeline.commands.init.files import config_text
from pipeline.commands.init.proposal import Proposal, propose
from pipeline.commands.init.sample import read_sample
from pipeline.config.file import parse_config
from tests.images import animated_gif, cmyk_jpeg, png

ROWS = 60
RANDOM = np.random.default_rng(4)
TAGS = {"the": "DET", "a": "DET", "cat": "NOUN", "dog": "NOUN", "bird": "NOUN", "sees": "VERB", "runs": "VERB"}
ENTITIES = {"cat": "B-PET", "dog": "B-PET"}
SENTENCES = [[str(word) for word in RANDOM.choice(list(TAGS), 1 + row % 7)] for row in range(ROWS)]
OF_SENTENCES = {
    "words": SENTENCES,
    "pos": [[TAGS[word] for word in words] for words in SENTENCES],
    "ner": [[ENTITIES.get(word, "O") for word in words] for words in SENTENCES],
}
GREY = np.zeros((8, 6))


def proposal_of(folder: Path, columns: dict[str, Any], *targets: str) -> tuple[Proposal, str]:
    """Of a Parquet file: the proposal, and the YAML, which must be a valid configuration."""
    path = folder / "t.parquet"
    pq.write_table(pa.table(columns), path)
    return proposal_in(DataConfig(path=str(path), format="parquet"), *targets)


def proposal_in(data: DataConfig, *targets: str) -> tuple[Proposal, str]:
    proposal = propose("t", read_sample(data), targets)
    text = config_text(proposal, Path("schema/t.pbtxt"), "janus init")
    parse_config(yaml.safe_load(text))
    return proposal, text


def guesses(proposal: Proposal) -> dict[str, tuple[str, dict[str, Any]]]:
    return {column.column.name: (column.guess.kind, column.guess.options) for column in proposal.columns}


@pytest.mark.parametrize(
    ("images", "options"),
    [
        ([png(GREY)], {"size": [8, 6], "channels": 1}),
        ([png(np.zeros((300, 150, 3)))], {"size": [64, 32]}),
        ([animated_gif(GREY, GREY), cmyk_jpeg(np.zeros((8, 6, 3)))], {"size": [8, 6]}),
    ],
)
def test_bytes_that_begin_as_images_do(tmp_path: Path, images: list[bytes], options: dict[str, Any]) -> None:
    photos = [images[row % len(images)] if row % 10 else None for row in range(ROWS)]
    columns = {"photo": pa.array(photos, pa.binary()), "good": ["yes", "no"] * (ROWS // 2)}
    proposal, text = proposal_of(tmp_path, columns, "good")
    assert guesses(proposal) == {"photo": ("image", options)}
    assert "# images, " in text


def test_names_of_images_beside_the_table_and_of_others(tmp_path: Path) -> None:
    (tmp_path / "img").mkdir()
    for row in range(ROWS):
        (tmp_path / "img" / f"{row}.png").write_bytes(png(GREY))
    columns = {
        "photo": [f"img/{row}.png" for row in range(ROWS)],
        "gone": [f"{row}.jpg" for row in range(ROWS)],
        "good": ["yes", "no"] * (ROWS // 2),
    }
    pa_csv.write_csv(pa.table(columns), tmp_path / "t.csv")
    proposal, text = proposal_in(DataConfig(path=str(tmp_path / "t.csv"), format="csv"), "good")
    assert guesses(proposal)["photo"] == ("image", {"source": "path", "size": [8, 6], "channels": 1})
    assert "'gone': names of images' files, of which '0.jpg' is not beside the table: correct them to use it" in text


def test_a_box_is_a_task_where_there_are_images(tmp_path: Path) -> None:
    photos = pa.array([png(GREY + row) for row in range(ROWS)], pa.binary())
    boxes = [[0.1, 0.2, 0.6, 0.5 + row / 200] for row in range(ROWS)]
    proposal, _ = proposal_of(tmp_path, {"photo": photos, "place": boxes}, "place")
    assert proposal.tasks[0].kind == "box"
    assert 0.5 < proposal.gates["place"].limits["iou"]["min"] < 1
    with pytest.raises(DataError, match="no column holds images"):
        proposal_of(tmp_path, {"x": RANDOM.normal(size=ROWS), "place": boxes}, "place")


def test_lists_with_repeats_are_a_sequence_and_others_a_set(tmp_path: Path) -> None:
    sets = [sorted(set(words)) for words in SENTENCES]
    columns = {"words": SENTENCES, "topics": sets, "good": ["yes", "no"] * (ROWS // 2)}
    proposal, text = proposal_of(tmp_path, columns, "good")
    assert guesses(proposal) == {"words": ("sequence", {"max_length": 8}), "topics": ("set", {})}
    assert "% have a value twice, unlike a set" in text
    assert "a set; write kind: sequence if their order matters" in text


@pytest.mark.parametrize("listed", [True, False])
def test_as_many_tags_as_tokens_are_a_task_of_these_tokens(tmp_path: Path, listed: bool) -> None:
    columns = OF_SENTENCES if listed else {name: [*map(" ".join, rows)] for name, rows in OF_SENTENCES.items()}
    proposal, text = proposal_of(tmp_path, columns, "ner")
    (task,) = proposal.tasks
    separated = {} if listed else {"separator": " "}
    assert (task.kind, task.options) == ("sequence_tags", {**separated, "sequence": "words", "classes": ["O", "B-PET"]})
    assert guesses(proposal)["words"] == ("sequence", {**separated, "max_length": 8})
    assert guesses(proposal)["pos"][0] == "dropped"
    assert "'pos': a tag for each token of 'words', as target 'ner' is" in text
    assert 0.4 < proposal.gates["ner"].limits["token_accuracy"]["min"] < 1
