"""The page's inputs of images, tokens, texts, dates and sets in a browser, and how boxes and tags are shown."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tensorflow as tf
from playwright.sync_api import expect
from tensorflow.core.protobuf import saved_model_pb2

from serving.description import ColumnDescription, ModelDescription, TaskDescription, write_description
from serving.server.run import RunningServer, ServerOptions, running
from tests.images import png
from tests.serving.server.pages import Open, card, posts, predict
from tests.serving.server.waiting import until

TAGS = ["short", "long"]
COLUMNS = {"photo": "image", "words": "sequence", "note": "text", "seen": "datetime", "topics": "set"}
LISTS = ("words", "topics")
DESCRIPTION = ModelDescription(
    columns={
        name: ColumnDescription(dtype="string", required=False, many=name in LISTS, kinds=[kind])
        for name, kind in COLUMNS.items()
    },
    tasks={
        "place": TaskDescription(kind="box", label="place", outputs=["place"], signature=""),
        "sizes": TaskDescription(
            kind="sequence_tags", label="sizes", classes=TAGS, outputs=["sizes", "sizes/tags"], signature=""
        ),
        "total": TaskDescription(kind="regression", label="total", outputs=["total"], signature=""),
    },
)
MOST_TOKENS = 4
BOX = [0.25, 0.5, 0.75, 1.0]


class MediaModel(tf.Module):
    """A fixed box, the length of each token, and the characters of all texts."""

    @tf.function(
        input_signature=[tf.TensorSpec([None, None] if name in LISTS else [None], tf.string, name) for name in COLUMNS]
    )
    def serving_columns(
        self, photo: tf.Tensor, words: tf.Tensor, note: tf.Tensor, seen: tf.Tensor, topics: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        words = words[:, :MOST_TOKENS]
        length = tf.strings.length(words)
        tags = tf.where(length == 0, "", tf.where(length < 4, *TAGS))
        texts = tf.strings.join([note, seen, tf.strings.reduce_join(topics, axis=1, separator="+")], "|")
        total = tf.cast(tf.strings.length(texts) + 1000 * tf.strings.length(photo), tf.float32)
        return {
            "place": tf.tile(tf.constant([BOX]), [tf.shape(total)[0], 1]),
            "sizes": tf.one_hot(tf.cast(tags == TAGS[1], tf.int32), len(TAGS)),
            "sizes/tags": tags,
            "total": total[:, None],
            "error": tf.where(photo == "damaged", "feature photo is a damaged image", ""),
        }


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    base = tmp_path_factory.mktemp("media")
    module = MediaModel()
    tf.saved_model.save(module, str(base / "1"), signatures={"serving_columns": module.serving_columns})
    file = base / "1" / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    columns = saved.meta_graphs[0].signature_def["serving_columns"]
    for name in COLUMNS:
        columns.defaults[name].CopyFrom(tf.make_tensor_proto([[""]] if name in LISTS else [""]))
    file.write_bytes(saved.SerializeToString(deterministic=True))
    write_description(base / "1", DESCRIPTION)
    with running(ServerOptions("media", base, rest_port=0, grpc_port=0)) as found:
        until(lambda: found.manager.available, "the model is served")
        yield found


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twice as high as wide."""
    path = tmp_path_factory.mktemp("photo") / "photo.png"
    path.write_bytes(png(np.tile(np.arange(20) * 10, (40, 1))))
    return path


def instance(body: dict[str, Any]) -> dict[str, Any]:
    (row,) = body["instances"]
    return row


def test_an_image_is_sent_as_the_file_has_it_and_its_box_is_drawn_in_it(
    server: RunningServer, open_page: Open, photo: Path
) -> None:
    page = open_page(server)
    sent = posts(page)
    page.get_by_label("photo").set_input_files(photo)
    preview = page.locator(".preview")
    expect(preview).to_be_visible()
    predict(page)
    assert base64.b64decode(instance(sent[-1])["photo"]["b64"]) == photo.read_bytes()
    image, outline = card(page, "place").locator("img"), card(page, "place").locator(".outline")
    for shown in (preview, image):
        box = shown.bounding_box()
        assert box is not None
        assert box["height"] == pytest.approx(2 * box["width"], rel=0.02)  # not stretched
    whole, part = image.bounding_box(), outline.bounding_box()
    assert whole is not None
    assert part is not None
    top, left, bottom, right = BOX
    assert part["y"] == pytest.approx(whole["y"] + top * whole["height"], abs=1)
    assert part["x"] == pytest.approx(whole["x"] + left * whole["width"], abs=1)
    assert part["height"] == pytest.approx((bottom - top) * whole["height"], abs=1)
    assert part["width"] == pytest.approx((right - left) * whole["width"], abs=1)
    expect(card(page, "place")).to_contain_text("0.25, 0.5, 0.75, 1")


def test_a_damaged_image_is_an_error_and_no_answer(server: RunningServer, open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_bytes(b"damaged")
    page = open_page(server)
    page.get_by_label("photo").set_input_files(tmp_path / "photo.png")
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#error")).to_have_text("The model cannot answer this row.feature photo is a damaged image")
    expect(page.locator("#results")).to_be_empty()


def test_without_an_image_the_box_is_numbers_alone(server: RunningServer, open_page: Open, photo: Path) -> None:
    page = open_page(server)
    sent = posts(page)
    page.get_by_label("photo").set_input_files(photo)
    expect(page.locator(".preview")).to_be_visible()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".preview")).to_be_hidden()
    predict(page)
    assert instance(sent[-1])["photo"] == ""
    assert card(page, "place").locator("img").count() == 0
    expect(card(page, "sizes")).to_contain_text("no tokens")


def test_each_token_stands_above_its_tag(server: RunningServer, open_page: Open) -> None:
    page = open_page(server)
    sent = posts(page)
    words = page.get_by_label("words")
    assert words.evaluate("element => element.tagName") == "TEXTAREA"
    words.fill('the, "a, b", garden,\nis, beyond')
    predict(page)
    assert instance(sent[-1])["words"] == ["the", "a, b", "garden", "is", "beyond"]
    shown = [item.inner_text().split("\n") for item in card(page, "sizes").locator("li").all()]
    assert shown == [["the", "short"], ["a, b", "long"], ["garden", "long"], ["is", "short"], ["beyond", "–"]]


def test_texts_dates_and_sets_reach_the_model(server: RunningServer, open_page: Open) -> None:
    page = open_page(server)
    sent = posts(page)
    note = 'Two lines,\nand "quotes" – ü'
    page.get_by_label("note").fill(note)
    page.get_by_label("seen").fill("2016-02-02T18:53:40Z")
    page.get_by_label("topics").fill("#win, @ann")
    predict(page)
    row = instance(sent[-1])
    assert row == {"photo": "", "words": [""], "note": note, "seen": "2016-02-02T18:53:40Z", "topics": ["#win", "@ann"]}
    answer = httpx.post(f"{server.rest}/v1/models/media:predict", content=json.dumps(sent[-1])).json()
    (prediction,) = answer["predictions"]
    assert prediction["total"] == [len(f"{note}|2016-02-02T18:53:40Z|#win+@ann".encode())]
    expect(card(page, "total").locator(".value")).to_have_text(str(int(prediction["total"][0])))
