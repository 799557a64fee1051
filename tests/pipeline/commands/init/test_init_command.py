"""`janus init` as it is called: files, refusals, questions; and that a run takes what it wrote."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from pipeline.cli import app
from pipeline.commands.init.files import flow
from pipeline.config.file import load_config
from pipeline.preflight import check_data, check_schema_file
from pipeline.report.analysis.columns import anomalies_of
from tests.pipeline.commands.init.tables import shop, write_csv


def init(*arguments: str, answers: str | None = None) -> tuple[int, str, str]:
    """Exit code, stdout, stderr."""
    result = CliRunner().invoke(app, ["init", *arguments], input=answers)
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "data" / "shop.csv", shop())
    return "data/shop.csv"


def test_what_is_written_is_a_configuration_and_a_schema_that_fits(table: str) -> None:
    code, out, err = init(table, "--targets", "bought,spent")
    assert (code, err) == (0, "")
    assert out.endswith("written: configs/shop.yaml, schema/shop.pbtxt\nnext: janus run configs/shop.yaml\n")
    config = load_config("configs/shop.yaml")
    check_data(config)
    check_schema_file(config)
    names = ["colour", "hour", "customer_id", "note", "ordered_at", "size_cm", "size_cm_column", "class"]
    assert list(config.features) == names
    assert config.features["size_cm"].column == "size/cm"
    assert list(config.tasks) == ["bought", "spent"]
    assert config.data.path == table
    assert sorted(path.name for path in Path().rglob("*") if path.is_file()) == ["shop.csv", "shop.pbtxt", "shop.yaml"]


def test_columns_and_tables_may_be_called_as_yaml_calls_other_things(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.RandomState(0)
    names = ["NO", "on", "null", "1e3", "Temp", "temp", "weight", "y"]
    columns = {name: random.normal(size=300).round(3) for name in names}
    columns["yes"] = (columns["NO"] + columns["y"] + random.normal(size=300)).round(3)
    columns["val"] = np.where(columns["on"] + random.normal(size=300) > 0, "a", "b")
    write_csv(tmp_path / "off.csv", columns)
    code, _, err = init("off.csv", "--targets", "yes,val")
    assert (code, err) == (0, "")
    config = load_config("configs/off.yaml")
    assert (config.name, list(config.tasks)) == ("off", ["yes", "val"])
    assert [feature.column or name for name, feature in config.features.items()] == names
    text = Path("configs/off.yaml").read_text()
    assert '  "NO": {kind: numeric}' in text
    assert '\n  "yes":\n' in text
    # The same to any reader of YAML: no key is a boolean, a number or nothing.
    assert all(isinstance(key, str) for key in yaml.safe_load(text)["features"])
    assert init("off.csv", "--targets", "yes", "--name", "n" * 64)[0] == 2


def test_every_guess_has_its_reason(table: str) -> None:
    init(table, "--targets", "bought,spent")
    lines = Path("configs/shop.yaml").read_text().splitlines()
    features = lines[lines.index("features:") + 1 : lines.index("tasks:")]
    assert all("#" in line for line in features if line.strip())
    assert "  #   'order_id': identifier: 400 values in 400 rows" in features
    assert "  #   'shop': constant: 'main' in every row" in features
    (price,) = [line for line in features if "price" in line]
    assert price.startswith("  # price: {kind: numeric}"), "it alone predicts what was spent"
    assert price.endswith("LEAKAGE?")


def test_a_leaking_column_may_be_taken_in_as_it_is_written(table: str) -> None:
    init(table, "--targets", "bought,spent")
    take_price_in("shop")
    config = load_config("configs/shop.yaml")
    assert config.features["price"].kind == "numeric"
    check_schema_file(config)


def take_price_in(name: str) -> None:
    path = Path(f"configs/{name}.yaml")
    path.write_text(path.read_text().replace("  # price:", "  price:"))


def test_words_for_missing_stand_in_the_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    columns = shop()
    columns["price"] = ["NA" if row % 11 == 0 else value for row, value in enumerate(columns["price"])]
    columns["spent"] = ["NA" if row % 7 == 0 else value for row, value in enumerate(columns["spent"])]
    write_csv(tmp_path / "shop.csv", columns)
    code, _, err = init("shop.csv", "--targets", "bought,spent")
    assert (code, err) == (0, "")
    config = load_config("configs/shop.yaml")
    check_data(config)
    assert config.data.null_values == {"price": ["NA"], "spent": ["NA"]}
    assert (config.features["colour"].kind, config.tasks["spent"].kind) == ("categorical", "regression")


def test_an_absolute_path_below_the_working_folder_becomes_relative(table: str) -> None:
    assert init(str(Path(table).absolute()), "--targets", "bought", "--name", "other")[0] == 0
    assert load_config("configs/other.yaml").data.path == table
    assert str(Path.cwd()) not in Path("configs/other.yaml").read_text()


def test_nothing_is_overwritten_unless_forced(table: str) -> None:
    assert init(table, "--targets", "bought")[0] == 0
    before = Path("configs/shop.yaml").read_text()
    code, out, err = init(table, "--targets", "spent")
    assert (code, out) == (2, "")
    assert err == (
        "error: configs/shop.yaml and schema/shop.pbtxt would be overwritten: give another --name, or --force\n"
    )
    assert Path("configs/shop.yaml").read_text() == before
    assert init(table, "--targets", "spent", "--force")[0] == 0
    assert Path("configs/shop.yaml").read_text() != before


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["data/shop.csv", "--targets", "brought"], 2, "did you mean 'bought'"),
        (["data/shop.csv", "--targets", "bought", "--name", "1 x"], 2, "table_1_x"),
        (["data/shop.csv", "--targets", "order_id"], 3, "different in every row"),
        (["data/shop.csv", "--targets", "shop"], 3, "constant, 'main'"),
        (["data/shops.csv", "--targets", "bought"], 3, "did you mean 'data/shop.csv'"),
    ],
)
def test_mistakes_write_nothing(table: str, arguments: list[str], code: int, words: str) -> None:
    del table
    found, _, err = init(*arguments)
    assert found == code
    assert words in err
    assert not Path("configs").exists()
    assert not Path("schema").exists()


def test_a_target_with_a_comma_stands_in_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(
        tmp_path / "t.csv", {"x": np.arange(60.0).tolist()[::-1], "y, really": ["p", "q"] * 30, "z": [1, 2, 4] * 20}
    )
    assert init("t.csv", "--targets", '"y, really"')[0] == 0
    assert load_config("configs/t.yaml").tasks["y_really"].label == "y, really"


def test_questions_are_asked_only_where_wanted(table: str) -> None:
    # The first is of price, the second of customer_id.
    for number, (answers, kept) in enumerate((("\n\n\n\n\n", False), ("y\nn\n\n\n\n", True))):
        arguments = ("--targets", "bought,spent", "--interactive", "--name", f"shop{number}")
        code, out, _ = init(table, *arguments, answers=answers)
        assert code == 0
        assert "'price' alone predicts target 'spent'" in out
        features = load_config(f"configs/shop{number}.yaml").features
        assert ("price" in features, "customer_id" in features) == (kept, not kept), "by default leaks are left out"


def test_an_answer_of_no_writes_nothing(table: str) -> None:
    code, out, _ = init(table, "--targets", "bought", "--interactive", answers="y\nn\n")
    assert code == 0
    assert "nothing was written" in out
    assert not Path("configs").exists()


@pytest.mark.parametrize(
    "text", ["plain", "yes", "1", "", "it's", 'q"uote', "a: b", "- x", "größe", "new\nline", "😀", "#"]
)
def test_text_is_read_back_as_it_was(text: str) -> None:
    import yaml

    assert yaml.safe_load(flow({"key": text})) == {"key": text}
    assert yaml.safe_load(f"[{flow(text)}]") == [text]


def test_columns_with_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.RandomState(0)
    names = ["a b", "x.y", "p/q", "größe", "examples", "%s", "name:0", 'q"uote', "it's", "[brackets]", "new\nline", "#"]
    table = {name: random.normal(size=80).tolist() for name in names}
    write_csv(tmp_path / "t.csv", {**table, "spécies": ["ja", "nein"] * 40})
    assert init("t.csv", "--targets", "spécies")[0] == 0
    config = load_config("configs/t.yaml")
    check_data(config)
    assert [feature.column or name for name, feature in config.features.items()] == names


@pytest.mark.slow
def test_ten_thousand_columns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    random = np.random.RandomState(0)
    values = random.randint(0, 1000, (60, 10_000))
    lines = [",".join(f"c{place}" for place in range(10_000)) + ",y"]
    lines += [",".join(map(str, row)) + f",{'pq'[row[7] > 500]}" for row in values.tolist()]
    (tmp_path / "wide.csv").write_text("\n".join(lines) + "\n")
    code, _, err = init("wide.csv", "--targets", "y")
    assert (code, err) == (0, "")
    config = load_config("configs/wide.yaml")
    assert len(config.features) == 250
    assert "  # c7: {kind: numeric}" in Path("configs/wide.yaml").read_text(), "it is what y was made of"


@pytest.mark.very_slow
@pytest.mark.slow
def test_a_run_takes_it_as_it_stands(table: str) -> None:
    assert init(table, "--targets", "bought,spent", "--name", "stands")[0] == 0
    take_price_in("stands")
    command = [sys.executable, "-m", "pipeline", "run", "configs/stands.yaml", "--set", "training.epochs=15"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    report = json.loads(Path("runs/stands/latest/report.json").read_text())
    assert report["pushed"]
    assert all(gate["passed"] for task in report["tasks"].values() for gate in task["gates"])
    anomalies = sorted(Path("runs/stands/root", "ExampleValidator/anomalies").iterdir())
    assert anomalies
    assert anomalies_of(str(anomalies[-1])) == [], "columns that init left out are none"
