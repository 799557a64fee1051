"""Images and boxes at ingestion: what is read, and what is refused with its row."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.example_gen.images import with_images
from components.example_gen.label_checks import check_boxes
from components.example_gen.structured import ImageColumn
from janus_core.errors import DataError
from janus_core.tables.batch import Batch
from tests.images import animated_gif, cmyk_jpeg, huge_png, png

GREY = np.arange(64).reshape(8, 8) * 4
IMAGE = png(GREY)


def batch(**columns: pa.Array) -> Batch:
    return Batch(columns, len(next(iter(columns.values()))), lambda row: f"t.parquet, row {row + 1}")


def read(values: list[Any], source: str = "bytes", path: str = "t.parquet", **settings: Any) -> list[Any]:
    column = ImageColumn(feature="photo", source=source, **{"max_pixels": 1000, **settings})
    found = with_images(batch(photo=pa.array(values, pa.binary())), path, {"photo": column}, [])
    return found.columns["photo"].to_pylist()


def test_whatever_the_model_decodes_is_kept_as_it_is() -> None:
    colour = np.zeros((8, 8, 3))
    images = [IMAGE, None, cmyk_jpeg(colour), animated_gif(GREY, GREY)]
    assert read(images) == images


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (b"", "holds an image of 0 bytes"),
        (b"no image", "holds no image in JPEG, PNG or GIF"),
        (huge_png(), r"holds an image of 50000 x 50000 pixels, of which it may have 1,000 \(max_pixels\)"),
        (huge_png(0, 1), "holds an image of 0 x 1 pixels"),
        (IMAGE[:-30], "holds a damaged image"),
        (IMAGE[:10], "holds a damaged image"),
        (b"\xff\xd8\xff", "holds a damaged image"),
        (cmyk_jpeg(np.zeros((8, 8, 3)))[:300], "holds a damaged image"),
    ],
)
def test_what_is_no_image_is_an_error_with_its_row(image: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"t.parquet, row 3: column 'photo' \(features.photo\) {message}"):
        read([IMAGE, None, image])


def test_paths_are_relative_to_the_folder_of_the_data(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "a.png").write_bytes(IMAGE)
    found = read([b"images/a.png", None, str(tmp_path / "images" / "a.png").encode()], "path", f"{tmp_path}/t.csv")
    assert found == [IMAGE, None, IMAGE]


def test_a_file_that_is_missing_or_empty_is_an_error_with_its_row(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    with pytest.raises(DataError) as error:
        read([b"none.png", b"empty.png"], "path", f"{tmp_path}/t.csv")
    missing, empty = error.value.problems
    assert "row 1: column 'photo' (features.photo) names 'none.png', which cannot be read" in missing
    assert "row 2: column 'photo' (features.photo) names 'empty.png', which holds an image of 0 bytes" in empty


def test_the_name_of_a_sensitive_file_is_not_shown(tmp_path: Path) -> None:
    column = ImageColumn(feature="photo", source="path", max_pixels=1000)
    with pytest.raises(DataError) as error:
        with_images(batch(photo=pa.array([b"anna.png"])), f"{tmp_path}/t.csv", {"photo": column}, ["photo"])
    assert "anna" not in str(error.value)


def test_several_images_in_a_row_are_an_error() -> None:
    column = ImageColumn(feature="photo", source="bytes", max_pixels=1000)
    lists = pa.array([[IMAGE], [IMAGE, IMAGE]], pa.large_list(pa.binary()))
    with pytest.raises(DataError, match="row 2: column 'photo' has several images"):
        with_images(batch(photo=lists), "t", {"photo": column}, [])


def boxes(*rows: Any, element: Any = None) -> None:
    check_boxes(batch(box=pa.array(list(rows), pa.large_list(element or pa.float64()))), {"box": "place"})


def test_boxes_within_the_image_pass_and_so_do_missing_ones() -> None:
    boxes([0.0, 0.0, 1.0, 1.0], None, [], [0.2, 0.3, 0.2, 0.3])
    boxes([0, 0, 1, 1], element=pa.int64())


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ([0.0, 0.0, 1.0], "has 3 numbers"),
        ([0.0, 0.0, 1.2, 1.0], r"has the box \[0, 0, 1.2, 1\], which is outside the image"),
        ([0.0, -0.1, 1.0, 1.0], ".* outside the image"),
        ([0.0, float("nan"), 1.0, 1.0], ".* not finite"),
        ([0.5, 0.0, 0.4, 1.0], ".* ends before it begins"),
    ],
)
def test_a_wrong_box_is_an_error_with_its_row(box: list[float], message: str) -> None:
    with pytest.raises(DataError, match=rf"t.parquet, row 2: column 'box' {message}"):
        boxes([0.0, 0.0, 1.0, 1.0], box)


def test_boxes_that_are_no_lists_of_numbers_are_an_error() -> None:
    with pytest.raises(DataError, match="does not hold lists of numbers"):
        boxes(["a"], element=pa.string())


def test_rows_are_counted_on_over_parts() -> None:
    parts = list(batch(x=pa.array([1, 2, 3, 4, 5])).in_parts(2))
    assert [part.columns["x"].to_pylist() for part in parts] == [[1, 2], [3, 4], [5]]
    assert parts[2].locate(0) == "t.parquet, row 5"
