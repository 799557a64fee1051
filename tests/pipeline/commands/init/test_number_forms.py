"""Numbers and times as other people write them, from `janus init` to the examples."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from pipeline.commands.init.number_forms import MixedNumbers, NumberForm, number_form_of
from pipeline.config import JanusConfig
from pipeline.config.file import load_config
from pipeline.dag import example_gen_of
from tests.components.example_gen.helpers import rows, run_component
from tests.pipeline.commands.init.tables import plan_of, write_csv
from tests.pipeline.commands.init.test_init_command import app

RANDOM = np.random.RandomState(7)
ROWS = 300
PRICE = RANDOM.gamma(2, 900, ROWS).round(2)
PAID = PRICE * np.random.RandomState(5).uniform(0.3, 1.9, ROWS)
"""Near enough to learn from, not so near that the price would leak it."""


def dates() -> list[str]:
    """Over several months, not in the order of the text."""
    return [f"{row % 28 + 1:02d}/{row // 28 % 12 + 1:02d}/2021" for row in range(ROWS)]


def table(**changed: list[Any]) -> dict[str, list[Any]]:
    return {
        "price": [f"{price:,.2f}" for price in PRICE],
        "rate": [f"{row % 97}%" for row in range(ROWS)],
        "weight": [f"{row % 61 / 10 + 1:.1f} kg" for row in range(ROWS)],
        "blank": [" " if row == 5 else row % 83 / 4 for row in range(ROWS)],
        "word": [{5: "\\N", 6: "(null)", 7: "#DIV/0!", 8: "abc"}.get(row, row % 89 / 4) for row in range(ROWS)],
        "shop": [("north", "NA", "west")[row % 3] for row in range(ROWS)],
        "applied_at": dates(),
        "paid": [f"${price:,.0f}" for price in PAID],
        **changed,
    }


def configured(folder: Path, columns: dict[str, list[Any]], targets: str) -> tuple[JanusConfig, str, str]:
    """The configuration, its text and what was printed."""
    write_csv(folder / "t.csv", columns)
    result = CliRunner().invoke(app, ["init", "t.csv", "--targets", targets])
    assert result.exit_code == 0, result.stderr
    return load_config("configs/t.yaml"), Path("configs/t.yaml").read_text(), result.stdout


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_table_of_near_numbers_is_ingested_number_form_of(tmp_path: Path) -> None:
    config, text, out = configured(tmp_path, table(), "paid,shop")
    numbers = dict.fromkeys(["price", "rate", "weight", "blank", "word"], "numeric")
    assert {name: feature.kind for name, feature in config.features.items()} == {**numbers, "applied_at": "datetime"}
    assert (config.data.decimal, config.data.thousands) == (".", ",")
    assert config.units() == {"rate": "%", "weight": "kg", "paid": "$"}
    assert config.data.null_values == {"word": ["\\N", "(null)", "#DIV/0!", "abc"]}
    assert config.tasks["shop"].classes == ["NA", "north", "west"]
    assert "'word': 'abc' in 1 row (t.csv, line 10) is no number" in text
    assert "'abc' in 1 row" in " ".join(out.split())
    assert 'split: {by: time, column: applied_at, format: "%d/%m/%Y", eval_from: "2021-09-' in text

    examples = run_component(example_gen_of(config), tmp_path / "out")
    found = rows(examples)
    assert len(found) == ROWS
    by_price = {round(row["price"][1][0], 2): row for row in found}
    first = by_price[round(float(np.float32(PRICE[0])), 2)]
    assert (first["rate"], first["weight"][1]) == (("int64_list", (0,)), pytest.approx((1.0,)))
    assert first["paid"][1][0] == pytest.approx(PAID[0], abs=0.51)
    assert sum("word" not in row for row in found) == 4
    assert sum("blank" not in row for row in found) == 1
    assert sum(row["shop"] == ("bytes_list", (b"NA",)) for row in found) == ROWS / 3
    months = {split: {row["applied_at"][1][0][3:5] for row in rows(examples, split)} for split in ("train", "eval")}
    assert max(months["train"]) <= min(months["eval"]), "text would order by the day"


def test_a_decimal_comma(tmp_path: Path) -> None:
    comma = [f"{price:.2f}".replace(".", ",") for price in PRICE]
    dots = [f"{price:_.2f}".replace(".", ",").replace("_", ".") for price in PRICE]
    plain = {"rate": list(range(ROWS))[::-1], "weight": dots, "blank": comma, "word": comma}
    config, _, _ = configured(tmp_path, table(price=comma, paid=dots, **plain), "paid")
    assert (config.data.decimal, config.data.thousands) == (",", ".")
    mixed = {"price": comma, "point": PRICE.tolist(), "y": ["p", "q", "q"] * (ROWS // 3)}
    assert plan_of(tmp_path, mixed, "y").sample.data.decimal == {"price": ","}


def test_a_time_that_cannot_divide_the_table_is_named_with_its_reason(tmp_path: Path) -> None:
    gaps = [None if row % 50 == 0 else day for row, day in enumerate(dates())]
    for applied_at, words in (
        (gaps, "no split by 'applied_at': it is missing in 6 of 300 rows"),
        ([*dates()[:-1], "Total"], "'Total' in 1 row is no time"),
        ([f"0{row % 9 + 1}/0{row % 7 + 1}/2021" for row in range(ROWS)], "with the day or the month is not certain"),
    ):
        plan = plan_of(tmp_path, table(applied_at=applied_at), "paid")
        assert any(words in warning for warning in plan.warnings), plan.warnings
        assert "no column was recognised" not in plan.split.reason
        assert "'applied_at'" in plan.split.reason


def test_instants_in_several_zones_divide_by_time(tmp_path: Path) -> None:
    times = [f"2021-{row // 28 % 12 + 1:02d}-{row % 28 + 1:02d}T08:00:00+0{row % 3}:00" for row in range(ROWS)]
    plan = plan_of(tmp_path, table(applied_at=times), "paid")
    assert plan.split.split.eval_from.endswith("T00:00Z")  # type: ignore[union-attr]


def forms(*values: str, a_code: bool = False) -> Any:
    return number_form_of(pa.array(values), np.ones(len(values), np.int64), a_code)


def test_a_comma_that_may_be_either_is_named() -> None:
    assert forms(*(f"{number},{number % 7}00" for number in range(1, 40))).ambiguous == "1,100"
    assert forms(*(f"{number},{number % 7}00" for number in range(40))).cells.decimal == ","
    assert forms("7", *(f"{number},{number % 7}00" for number in range(1, 40))).ambiguous is None


def test_what_looks_like_numbers_and_is_not() -> None:
    assert forms(*(f"555 {number} {number}" for number in range(100, 200))) is None
    assert forms(*(f"12{letter}" for letter in "abcdefghij")) is None
    assert forms(*(f"{hour}pm" for hour in range(1, 13))) is None
    assert forms("0", "1", "2", "3+") == MixedNumbers(0.75, ("3+",), ())
    assert isinstance(forms(*map(str, range(50)), "12345-6789", a_code=True), MixedNumbers)
    assert isinstance(forms(*map(str, range(50)), "12345-6789"), NumberForm)
