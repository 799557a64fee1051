"""Rows of files as the model's inputs."""

import base64
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from components.example_gen.structured import ImageColumn
from janus_core.errors import DataError
from pipeline.commands.predict.chunks import Chunk, read_chunks
from pipeline.commands.predict.input_files import open_source
from serving.errors import RequestError
from serving.rows import columns_of_rows
from serving.signatures import STRING, Signature, TensorInfo
from tests.images import png

SIGNATURE = Signature({"photo": TensorInfo(STRING, [-1])}, {}, {"photo": np.array([b""], object)})
PHOTO = png(np.zeros((4, 4)))


def chunks_of(folder: Path, lines: list[str], name: str = "t.csv") -> list[Chunk]:
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = open_source(str(path), SIGNATURE, True, True)
    image = ImageColumn(feature="photo", source="path", max_pixels=100)
    source = replace(source, images={"photo": image})
    return [chunk for piece in source.pieces() for chunk in read_chunks(source, SIGNATURE, piece, 2)]


def test_names_of_images_are_replaced_by_what_the_files_hold_and_repeated_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PHOTO)
    chunks = chunks_of(tmp_path, ["photo", "a.png", '""', "a.png"])
    assert [chunk.inputs()["photo"].tolist() for chunk in chunks] == [[PHOTO, b""], [PHOTO]]
    assert [chunk.repeated()[0].to_pylist() for chunk in chunks] == [["a.png", None], ["a.png"]]


def test_json_names_images_too_or_holds_them(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PHOTO)
    chunks = chunks_of(tmp_path, ['{"photo": "a.png"}', "{}"], "t.jsonl")
    assert chunks[0].inputs()["photo"].tolist() == [PHOTO, b""]
    held = {"photo": {"b64": base64.b64encode(PHOTO).decode()}}
    assert columns_of_rows(SIGNATURE, [held])["photo"].tolist() == [PHOTO]
    with pytest.raises(RequestError, match="row 1: column 'photo' is not in base64"):
        columns_of_rows(SIGNATURE, [{"photo": {"b64": "?"}}])


def test_a_file_that_is_not_there_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(PHOTO)
    chunks = chunks_of(tmp_path, ["photo", "a.png", "a.png", "gone.png"])
    with pytest.raises(DataError, match=r"t.csv, line 4: column 'photo' .*'gone.png', which cannot be read"):
        chunks[1].inputs()
