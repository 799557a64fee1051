"""The page at / in a browser: what is filled in reaches the model, and what it answers is shown."""

import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from playwright.sync_api import Page, expect

from serving.saved_model import LoadedModel
from serving.server.page import cell_text
from serving.server.run import RunningServer, ServerOptions, running
from serving.warmup import warmup_rows
from tests.serving.server.page_fixtures import DESCRIPTION, HARD, REFUSED, ROWS, save_page_model
from tests.serving.server.pages import DESKTOP, Open, card, fill, posts, predict
from tests.serving.server.waiting import until

NAME = "a model/ü"
PHONE = {"width": 360, "height": 740}
REQUIRED = {"distance *": "1.5", "carrier *": "UA", "pair *": "0.5, 2"}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Saved once: with a description and without, and one that answers differently."""
    folder = tmp_path_factory.mktemp("page_models")
    described = save_page_model(folder / "described", 0.0)
    plain = Path(shutil.copytree(described, folder / "plain"))
    shutil.rmtree(plain / "assets.extra")
    return {"described": described, "plain": plain, "shifted": save_page_model(folder / "shifted", 1000.0)}


@pytest.fixture(scope="module")
def answers(models: dict[str, Path]) -> Iterator[LoadedModel]:
    """What the page's answers are compared with."""
    model = LoadedModel(models["described"])
    yield model
    model.close()


@pytest.fixture(scope="module")
def server(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Serves the described model as version 1."""
    base = tmp_path_factory.mktemp("page_served")
    shutil.copytree(models["described"], base / "1")
    with running(ServerOptions(NAME, base, rest_port=0, grpc_port=0)) as found:
        until(lambda: found.manager.available, "the model is served")
        yield found


def bars(page: Page, task: str) -> dict[str, str]:
    """Class → its percentage, in the order that they are shown in."""
    found = {}
    for bar in card(page, task).locator(".bar").all():
        name = bar.locator(".name").evaluate("element => element.firstChild.textContent")
        found[name] = bar.locator(".number").inner_text()
    return found


def percent(probability: float) -> str:
    if 0 < probability < 0.0005:
        return "< 0.1\u00a0%"
    return f"{100 * probability:.1f}\u00a0%"


def ranked(values: dict[str, np.ndarray], task: str) -> dict[str, str]:
    """What `bars` should find, the best first."""
    names = [name.decode() for name in values[f"{task}/classes"][0]]
    pairs = zip(names, values[f"{task}/probabilities"][0].tolist(), strict=True)
    return {name: percent(value) for name, value in sorted(pairs, key=lambda pair: -pair[1])}


def of_example(model: LoadedModel, record: bytes) -> dict[str, np.ndarray]:
    return model.run("serving_default", {"examples": np.array([record], object)})


def shown(number: float) -> str:
    """As `decimal` in page.js writes numbers below 100."""
    return f"{float(f'{number:.4g}'):g}"


# --- asking -----------------------------------------------------------------------------------------------------


def test_every_tasks_answer_is_shown_as_the_model_gives_it(
    server: RunningServer, answers: LoadedModel, open_page: Open
) -> None:
    page = open_page(server)
    fill(page, {**REQUIRED, "stops": "2", "tags": 'wifi, "a, b"', HARD: "x"})
    predict(page)
    values = of_example(answers, warmup_rows(answers.path)[0])
    expect(page.locator("#results .by")).to_have_text("Answered by version 1.")
    assert page.locator(".card h3").all_inner_texts() == list(DESCRIPTION.tasks)
    for task in ("status", "buy", "amenities"):
        found, expected = bars(page, task), ranked(values, task)
        assert list(found.items()) == list(expected.items()), task
    assert bars(page, "grade") == ranked(values, "grade")
    assert list(bars(page, "grade")) == ["low", "middle", "high"]
    for task in ("status", "buy", "grade"):
        best = next(iter(ranked(values, task)))
        assert card(page, task).locator(".value").inner_text() == best
        assert card(page, task).locator(".marked .name").inner_text().startswith(best)
    chosen = [name for name, value in zip("wmp", values["amenities"][0], strict=True) if value > 0.5]
    assert card(page, "amenities").locator(".mark").count() == len(chosen) > 0
    expect(card(page, "buy")).to_contain_text(percent(values["buy/conditional"][0, 0]))
    assert card(page, "delay").locator(".value").inner_text() == f"{shown(values['delay'][0, 0])} minutes"
    assert card(page, "visits").locator(".value").inner_text() == shown(values["visits"][0, 0])
    low, middle, high = map(shown, values["wait/quantiles"][0].tolist())
    assert card(page, "wait").locator(".value").inner_text() == f"{middle} minutes"
    interval = f"median; between {low} and {high} minutes, 10\u00a0%–90\u00a0%"
    assert card(page, "wait").locator(".detail").inner_text() == interval


def test_the_width_of_a_bar_is_its_probability(server: RunningServer, open_page: Open) -> None:
    page = open_page(server)
    fill(page, REQUIRED)
    predict(page)
    for bar in card(page, "buy").locator(".bar").all():
        width, track = bar.locator(".filled").evaluate("filled => [filled.style.width, filled.parentElement.hidden]")
        probability = float(bar.locator(".number").get_attribute("title"))
        assert float(width.rstrip("%")) == pytest.approx(100 * probability, abs=1e-3)
        assert not track


def test_what_is_left_empty_is_missing_for_the_model(
    server: RunningServer, answers: LoadedModel, open_page: Open
) -> None:
    page = open_page(server)
    with page.expect_request("**:predict") as asked:
        fill(page, REQUIRED)
        predict(page)
    body = asked.value.post_data
    assert body.startswith('{"signature_name": "serving_columns", "instances": [{"distance": 1.5, "carrier": "UA"')
    assert '"stops": NaN, "tags": [""]' in body
    row = {"distance": np.float32([1.5]), "carrier": np.array([b"UA"], object), "pair": np.float32([[0.5, 2]])}
    values = answers.run("serving_columns", {**row, "tags": np.array([[b""]], object)})
    assert card(page, "delay").locator(".value").inner_text() == f"{shown(values['delay'][0, 0])} minutes"


def test_a_missing_required_column_has_a_message_and_nothing_is_sent(server: RunningServer, open_page: Open) -> None:
    page = open_page(server)
    sent = posts(page)
    fill(page, {"carrier *": "UA"})
    page.get_by_role("button", name="Predict").click()
    distance = page.get_by_label("distance *", exact=True)
    expect(distance).to_be_focused()
    expect(distance).to_have_attribute("aria-invalid", "true")
    described = distance.get_attribute("aria-describedby").split()
    messages = [page.locator(f"#{name}").inner_text() for name in described if page.locator(f"#{name}").is_visible()]
    assert messages == ["Required: fill in a value."]
    assert page.locator(".message:visible").count() == 2
    fill(page, {"distance *": "1"})
    assert distance.get_attribute("aria-invalid") is None
    assert page.locator(".message:visible").count() == 1
    assert sent == []


@pytest.mark.parametrize(
    ("label", "text", "message"),
    [
        ("stops", "1.5", "Must be a whole number."),
        ("pair *", "1, 2, 3", "Must have 2 values, separated by commas; has 3."),
        ("pair *", "1, two", '"two" is not a number.'),
        ("pair *", "1,", '"" is not a number.'),
    ],
)
def test_a_wrong_value_has_a_message_and_nothing_is_sent(
    server: RunningServer, open_page: Open, label: str, text: str, message: str
) -> None:
    page = open_page(server)
    sent = posts(page)
    fill(page, {**REQUIRED, label: text})
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".message:visible")).to_have_text(message)
    expect(page.get_by_label(label, exact=True)).to_be_focused()
    assert sent == []


def test_what_the_server_says_of_a_failure_is_shown(server: RunningServer, open_page: Open) -> None:
    page = open_page(server, failures=("400 (Bad Request)",))
    fill(page, REQUIRED)
    predict(page)
    fill(page, {"distance *": str(REFUSED)})
    page.get_by_role("button", name="Predict").click()
    error = page.get_by_role("alert")
    expect(error).to_contain_text("The server refused the request (400).")
    expect(error).to_contain_text("this distance is <b>refused</b>")
    assert page.locator(".card").count() == 0
    fill(page, {"distance *": "1"})
    predict(page)
    expect(error).to_be_hidden()


def test_a_server_that_is_gone_is_told(server: RunningServer, open_page: Open) -> None:
    page = open_page(server, failures=("Failed to load resource", "net::"))
    fill(page, REQUIRED)
    page.route("**/v1/**", lambda route: route.abort())
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_contain_text("The request failed.")
    expect(page.get_by_text("The server does not answer")).to_be_visible()
    page.unroute("**/v1/**")
    expect(page.get_by_text("The server does not answer")).to_be_hidden()


def test_real_rows_are_filled_in_one_after_the_other(
    server: RunningServer, answers: LoadedModel, open_page: Open
) -> None:
    page = open_page(server)
    for index in (0, 1, 0):
        page.get_by_role("button", name="Fill in an example row").click()
        expect(page.locator("#said")).to_contain_text(f"Row {index + 1} of {len(ROWS)}")
        carrier = ROWS[index]["carrier"][0]
        expect(page.get_by_label("carrier *", exact=True)).to_have_value(carrier)
        predict(page)
        values = of_example(answers, warmup_rows(answers.path)[index])
        expect(card(page, "delay").locator(".value")).to_have_text(f"{shown(values['delay'][0, 0])} minutes")
        assert bars(page, "amenities") == ranked(values, "amenities")
    page.get_by_role("button", name="Clear").click()
    assert {field.input_value() for field in page.locator("input").all()} == {""}
    expect(page.locator("#results .by")).to_contain_text("The row has changed since.")


def test_known_values_are_offered_and_others_allowed(server: RunningServer, open_page: Open) -> None:
    page = open_page(server)
    carrier = page.get_by_label("carrier *", exact=True)
    offered = carrier.evaluate("input => [...input.list.options].map((option) => option.value)")
    assert offered == DESCRIPTION.columns["carrier"].values
    fill(page, {**REQUIRED, "carrier *": "never seen"})
    predict(page)


def test_the_curl_line_is_the_same_request(server: RunningServer, open_page: Open) -> None:
    page = open_page(server)
    fill(page, {**REQUIRED, "carrier *": HARD, HARD: "it's"})
    predict(page)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    line = page.evaluate("navigator.clipboard.readText()")
    assert line == page.locator("#curl").inner_text()
    command, url, option, body = shlex.split(line)
    assert (command, option) == ("curl", "-d")
    answer = httpx.post(url, content=body.encode(), headers={"Content-Type": "application/x-www-form-urlencoded"})
    delay = answer.json()["predictions"][0]["delay"][0]
    assert card(page, "delay").locator(".value").inner_text() == f"{shown(delay)} minutes"


# --- versions and models ----------------------------------------------------------------------------------------


def test_a_new_version_is_asked_as_soon_as_it_is_served(
    models: dict[str, Path], tmp_path: Path, open_page: Open
) -> None:
    shutil.copytree(models["described"], tmp_path / "1")
    with running(ServerOptions("page", tmp_path, rest_port=0, grpc_port=0, poll_seconds=0.1)) as server:
        until(lambda: server.manager.available, "version 1 is served")
        page = open_page(server)
        fill(page, {**REQUIRED, "stops": "2"})
        page.get_by_label("stops", exact=True).focus()
        predict(page)
        expect(page.locator("#version")).to_have_text(re.compile(r"version\s+1"))
        first = card(page, "delay").locator(".value").inner_text()
        shutil.copytree(models["shifted"], tmp_path / ".2")
        (tmp_path / ".2").rename(tmp_path / "2")
        page.get_by_label("stops", exact=True).focus()
        expect(page.locator("#version")).to_have_text(re.compile(r"version\s+2"))
        assert page.title() == "page · version 2"
        expect(page.get_by_label("stops", exact=True)).to_have_value("2")
        expect(page.get_by_label("stops", exact=True)).to_be_focused()
        expect(page.locator("#results .by")).to_have_text("Answered by version 1.")
        assert card(page, "delay").locator(".value").inner_text() == first
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#results .by")).to_have_text("Answered by version 2.")
        assert card(page, "delay").locator(".value").inner_text().startswith("1,0")


def test_an_answer_names_the_version_that_gave_it_even_if_the_page_did_not_know_it(
    models: dict[str, Path], tmp_path: Path, open_page: Open
) -> None:
    shutil.copytree(models["described"], tmp_path / "1")
    with running(ServerOptions("page", tmp_path, rest_port=0, grpc_port=0, poll_seconds=0.1)) as server:
        until(lambda: server.manager.available, "version 1 is served")
        page = open_page(server)
        page.evaluate("document.body.dataset.test = 'same document'")
        # As if no look at the server's status fell into this moment.
        page.evaluate("watching = true")
        fill(page, REQUIRED)
        shutil.copytree(models["shifted"], tmp_path / ".2")
        (tmp_path / ".2").rename(tmp_path / "2")
        until(lambda: [status.version for status in server.manager.statuses()][0] == 2, "version 2 is seen")
        until(lambda: newest(server) == 2, "version 2 is served")
        predict(page)
        expect(page.locator("#results .by")).to_have_text("Answered by version 2.")
        assert card(page, "delay").locator(".value").inner_text().startswith("1,0")
        assert page.evaluate("document.body.dataset.test") == "same document"


def newest(server: RunningServer) -> int:
    with server.manager.use() as served:
        return served.version


def test_a_model_without_description_has_a_form_of_its_signature(
    models: dict[str, Path], tmp_path: Path, answers: LoadedModel, open_page: Open
) -> None:
    shutil.copytree(models["plain"], tmp_path / "3")
    with running(ServerOptions("page", tmp_path, rest_port=0, grpc_port=0)) as server:
        until(lambda: server.manager.available, "the model is served")
        page = open_page(server)
        assert page.get_by_role("button", name="Fill in an example row").count() == 0
        fill(page, {**REQUIRED, "stops": "2", "tags": 'wifi, "a, b"', HARD: "x"})
        predict(page)
        values = of_example(answers, warmup_rows(answers.path)[0])
        assert page.locator(".card h3").all_inner_texts() == sorted(DESCRIPTION.tasks)
        assert bars(page, "status") == ranked(values, "status")
        assert card(page, "delay").locator(".value").inner_text() == shown(values["delay"][0, 0])
        expect(card(page, "wait").locator(".detail")).to_contain_text("10\u00a0%–90\u00a0%")


def test_the_page_waits_for_a_first_version(models: dict[str, Path], tmp_path: Path, open_page: Open) -> None:
    with running(ServerOptions("page", tmp_path, rest_port=0, grpc_port=0, poll_seconds=0.1)) as server:
        page = open_page(server)
        expect(page.get_by_text("No version is served yet")).to_be_visible()
        shutil.copytree(models["plain"], tmp_path / ".1")
        (tmp_path / ".1").rename(tmp_path / "1")
        expect(page.get_by_label("distance *", exact=True)).to_be_visible()


def test_a_model_without_columns_says_so(
    publish: Callable[[Path, int, int], Path], tmp_path: Path, open_page: Open
) -> None:
    from tensorflow.core.protobuf import saved_model_pb2

    file = publish(tmp_path / "staging", 1, 0) / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    del saved.meta_graphs[0].signature_def["serving_columns"]
    file.write_bytes(saved.SerializeToString())
    with running(ServerOptions("page", tmp_path / "staging", rest_port=0, grpc_port=0)) as server:
        until(lambda: server.manager.available, "the model is served")
        expect(open_page(server).get_by_text("has no signature serving_columns")).to_be_visible()


# --- what it is like to use -------------------------------------------------------------------------------------


def test_it_can_be_used_by_the_keyboard_alone(server: RunningServer, open_page: Open) -> None:
    page = open_page(server)
    keys = page.keyboard
    focused = "document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent"
    keys.press("Tab")
    assert page.evaluate(focused) == "REST API"
    for label, text in REQUIRED.items():
        keys.press("Tab")
        assert page.evaluate(focused) == label
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        keys.type(text)
    keys.press("Enter")
    expect(page.locator("#results .by")).to_have_text("Answered by version 1.")
    order = []
    for _ in range(6):
        keys.press("Tab")
        order.append(page.evaluate(focused))
    assert order == ["stops", "tags", HARD, "Predict", "Fill in an example row", "Clear"]
    keys.press("Shift+Tab")
    keys.press("Space")
    expect(page.get_by_label("stops", exact=True)).to_have_value("2")
    keys.press("Shift+Tab")
    keys.press("Enter")
    expect(page.locator("#results .by")).to_have_text("Answered by version 1.")


def test_fields_have_labels_and_groups_and_answers_are_announced(server: RunningServer, open_page: Open) -> None:
    page = open_page(server)
    assert page.locator("input").evaluate_all("inputs => inputs.every((input) => input.labels.length === 1)")
    assert page.get_by_role("group", name="Required").locator("input[required]").count() == 3
    optional = page.get_by_role("group", name="May be empty")
    assert optional.locator("input:not([required])").count() == 3
    assert page.get_by_label("stops", exact=True).get_attribute("type") == "number"
    assert all("may be empty" in hint for hint in optional.locator(".hint").all_inner_texts())
    assert page.locator("#results").get_attribute("aria-live") == "polite"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_it_fits_the_screen_and_can_be_read(
    server: RunningServer, open_page: Open, size: dict[str, int], scheme: str
) -> None:
    page = open_page(server, size, scheme)
    page.get_by_role("button", name="Predict").click()
    assert least_contrast(page) >= 4.5
    page.get_by_role("button", name="Fill in an example row").click()
    predict(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert least_contrast(page) >= 4.5
    light = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9]+/g)[0]")
    assert (int(light) > 128) == (scheme == "light")
    boxes = page.locator(".card, .panel, .request")
    assert boxes.evaluate_all("boxes => boxes.every((box) => box.scrollWidth <= box.clientWidth)")


def least_contrast(page: Page) -> float:
    """The least ratio of a text's luminance to its background's, as WCAG 2 defines it."""
    return page.evaluate(
        """() => {
          const luminance = (color) => {
            const [r, g, b] = color.match(/[0-9.]+/g).slice(0, 3).map((one) => {
              const part = one / 255;
              return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
          };
          const ground = (element) => {
            const color = getComputedStyle(element).backgroundColor;
            return color.endsWith(", 0)") ? ground(element.parentElement) : color;
          };
          const hasText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
          const texts = [...document.body.querySelectorAll("*")].filter((element) =>
            element.checkVisibility() && (element.matches("input") || hasText(element)));
          return Math.min(...texts.map((element) => {
            const both = [luminance(getComputedStyle(element).color), luminance(ground(element))];
            return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
          }));
        }"""
    )


def test_hard_names_are_text(server: RunningServer, open_page: Open) -> None:
    page = open_page(server)
    expect(page.get_by_label(HARD, exact=True)).to_be_visible()
    fill(page, {**REQUIRED, "carrier *": HARD, HARD: HARD})
    predict(page)
    assert HARD in bars(page, "status")
    assert HARD in page.locator("#curl").inner_text().replace("'\\''", "'").replace('\\"', '"')
    assert page.evaluate("window.harmed") is None


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (
            r"""parse('{"a": [NaN, -Infinity, 1.5, "NaN \\" -Infinity"]}').a""",
            ["NaN", "-Infinity", 1.5, 'NaN " -Infinity'],
        ),
        ('items(`a, "b, ""c""" , ,d e`)', ["a", 'b, "c"', "", "d e"]),
        (
            "[0, -3.14159, 123.456, 1234567.8, 1e12, 1e-9, 'NaN', '-Infinity'].map(decimal)",
            ["0", "-3.142", "123.5", "1,234,567.8", "1.000e+12", "1.000e-9", "not a number", "−∞"],
        ),
        (
            "[0, 1e-9, 0.1234, 0.99999, 1, NaN].map(percent)",
            ["0.0\u00a0%", "< 0.1\u00a0%", "12.3\u00a0%", "> 99.9\u00a0%", "100.0\u00a0%", "not a number"],
        ),
    ],
    ids=["json", "lists", "numbers", "probabilities"],
)
def test_texts_of_the_script(server: RunningServer, open_page: Open, call: str, expected: list[Any]) -> None:
    assert open_page(server).evaluate(call) == expected


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (2.0, "2"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (2**53, "9007199254740992"),
        ([1.0, float("nan"), 2.5], "1, , 2.5"),
        (["a, b", 'say "hi"', " c", "d"], '"a, b", "say ""hi""", " c", d'),
    ],
)
def test_how_values_are_filled_in(value: Any, text: str) -> None:
    assert cell_text(value) == text


def test_nothing_but_its_own_style_and_script_may_be_loaded(server: RunningServer) -> None:
    with httpx.Client(base_url=server.rest) as http:
        page = http.get("/")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-security-policy"].startswith("default-src 'none'; script-src 'self'")
        assert http.get("/static/page.css").headers["content-type"] == "text/css; charset=utf-8"
        assert http.get("/static/index.html").status_code == 404
        assert "<script>" not in page.text
