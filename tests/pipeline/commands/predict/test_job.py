"""`janus predict`: files in, files out, by a server, by a folder, by Beam."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from janus_core.errors import ConfigError, DataError, JanusError, ServingError
from pipeline.commands.predict.job import run_predict_job
from pipeline.commands.predict.options import PredictOptions
from tests.pipeline.small import small_config

ROWS = 500


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a table of rows, some of whose values are missing."""
    monkeypatch.chdir(tmp_path)
    lines = ["id,distance,carrier,stops"]
    lines += [f"{row:03},{row / 100},{'EV' if row % 3 else ''},{row % 4 or ''}" for row in range(ROWS)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


OTHERS = {
    # Column → cells, and what Parquet has of them.
    "row": (["1", "-2", ""], pa.int64(), [1, -2, None]),
    "price": (["1.50", "2e3", "3"], pa.float64(), [1.5, 2000.0, 3.0]),
    "zip": (["00501", "10001", "1"], pa.string(), ["00501", "10001", "1"]),
    "account": (["12345678901234567890", "1", "2"], pa.string(), ["12345678901234567890", "1", "2"]),
    "exact": (["0.12345678901234567", "1", "2"], pa.string(), ["0.12345678901234567", "1", "2"]),
    "note": (['"a, b"', '"say ""hi"""', "c"], pa.string(), ["a, b", 'say "hi"', "c"]),
    "nothing": (["", "", ""], pa.string(), [None, None, None]),
}


def expected() -> np.ndarray:
    rows = np.arange(ROWS)
    return 2 * rows / 100 + rows % 4 + np.where(rows % 3, 5.0, 0.0)


def predict(folder: Path, **given: Any) -> pa.Table:
    options = PredictOptions(**{"input": "rows.csv", "output": folder / "out.parquet", "batch_size": 64, **given})
    assert run_predict_job(small_config(folder), options) == 0
    path = options.target
    return pyarrow.csv.read_csv(path) if path.suffix == ".csv" else pq.read_table(path)


def check(table: pa.Table) -> None:
    np.testing.assert_allclose(table["delay"].to_numpy(), expected(), atol=1e-4)
    yes = table["late.yes"].to_numpy()
    np.testing.assert_allclose(yes, 1 / (1 + np.exp(-np.arange(ROWS) / 100)), atol=1e-5)
    assert table["late"].to_pylist() == ["yes" if share > 0.5 else "no" for share in yes]


def test_by_a_folder(folder: Path, tiny_models: Callable[[int], Path], capfd: pytest.CaptureFixture[str]) -> None:
    table = predict(folder, model=str(tiny_models(0)))
    check(table)
    assert table.column_names == ["id", "distance", "carrier", "stops", "late", "late.no", "late.yes", "delay"]
    assert "500 rows by" in capfd.readouterr().out
    only = predict(folder, model=str(tiny_models(0)), only_predictions=True, force=True)
    assert only.column_names == ["late", "late.no", "late.yes", "delay"]


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_by_a_server(folder: Path, client: Any, protocol: str) -> None:
    url = f"grpc://{client.server.grpc}" if protocol == "grpc" else client.server.rest
    check(predict(folder, url=url, name="tiny", output=folder / "out.csv"))


def test_of_other_forms_of_the_same_rows(folder: Path, tiny_models: Callable[[int], Path]) -> None:
    table = pyarrow.csv.read_csv("rows.csv")
    pq.write_table(table, "rows.parquet")
    table.to_pandas().to_json("rows.jsonl", orient="records", lines=True)
    for name in ("rows.parquet", "rows.jsonl"):
        check(predict(folder, input=name, model=str(tiny_models(0)), force=True))


@pytest.mark.slow
def test_by_beam(folder: Path, tiny_models: Callable[[int], Path]) -> None:
    options = PredictOptions("rows.csv", folder / "sharded", model=str(tiny_models(0)), beam=True)
    # The footer that training leaves out holds rows here.
    assert run_predict_job(small_config(folder, data={"path": str(folder), "skip_footer": 1}), options) == 0
    assert all(path.name.startswith("part-") for path in (folder / "sharded").iterdir())
    check(pq.read_table(folder / "sharded").sort_by("distance"))


def test_what_cannot_be_predicted_is_reported_and_nothing_is_written(
    folder: Path, client: Any, tiny_models: Callable[[int], Path]
) -> None:
    config, model = small_config(folder), str(tiny_models(0))
    (folder / "renamed.csv").write_text("distanse,carrier\n1,UA\n")
    (folder / "wrong.csv").write_text("distance,carrier\n" + "1,UA\n" * 100 + "far,UA\n")
    good = PredictOptions("rows.csv", folder / "out.parquet", model=model)
    for options, error, words in (
        (replace(good, input="nothing.csv"), JanusError, "nothing.csv"),
        (replace(good, input="renamed.csv"), DataError, "'distance'.*distanse"),
        (replace(good, input="wrong.csv"), DataError, r"(?s)wrong.csv.*distance"),
        (replace(good, model=str(folder)), ConfigError, "no SavedModel"),
        (replace(good, model=None), JanusError, "there is no model in"),
        (replace(good, output=folder / "out.txt"), ConfigError, r"must end in .parquet or .csv"),
        (replace(good, model=None, url="grpc://127.0.0.1:1", deadline_seconds=1), ServingError, "127.0.0.1:1"),
        (replace(good, url="http://host"), ConfigError, "--url or --model, not both"),
    ):
        with pytest.raises(error, match=words):
            run_predict_job(config, options)
    assert not [path for path in folder.iterdir() if "out" in path.name]


def test_texts_for_missing_values_are_missing_here_too(folder: Path, tiny_models: Callable[[int], Path]) -> None:
    lines = ["id,distance,carrier,stops", "NA,1.0,EV,NA", "b,1.0,NA,2"]
    (folder / "na.csv").write_text("\n".join(lines) + "\n")
    data = {"path": str(folder / "data"), "null_values": ["NA"]}
    for name in ("out.csv", "out.parquet"):
        options = PredictOptions("na.csv", folder / name, model=str(tiny_models(0)))
        assert run_predict_job(small_config(folder, data=data), options) == 0
    written = pq.read_table(folder / "out.parquet")
    np.testing.assert_allclose(written["delay"].to_numpy(), [7.0, 4.0], atol=1e-4)
    assert written["stops"].to_pylist() == [None, 2]
    assert written["id"].to_pylist() == ["NA", "b"], "what the model does not take stays as it is in the file"
    assert (folder / "out.csv").read_text().splitlines()[1].startswith('"NA",1.0,"EV",NA')


def test_rows_are_read_as_the_training_data_are_written(folder: Path, tiny_models: Callable[[int], Path]) -> None:
    """In the configuration's dialect, from a folder of partitions, whose column the output repeats."""
    text = "Rows of today\n" + (folder / "rows.csv").read_text().replace(",", ";")
    (folder / "day=3").mkdir()
    (folder / "day=3" / "rows [1].csv").write_bytes(text.replace("\n", "\r").encode("utf-16"))
    data = {"path": str(folder), "delimiter": ";", "encoding": "utf-16", "skip_rows": 1}
    (folder / "rows.tsv").write_bytes(text.encode("utf-16"))
    for given in ("day=3/rows [1].csv", "day=3", "rows.tsv"):
        options = PredictOptions(given, folder / "out.parquet", model=str(tiny_models(0)), force=True)
        assert run_predict_job(small_config(folder, data=data), options) == 0
        table = pq.read_table(folder / "out.parquet")
        check(table)
        assert given == "rows.tsv" or set(map(str, table["day"].to_pylist())) == {"3"}


def test_labels_in_the_input_give_the_predictions_a_prefix(
    folder: Path, tiny_models: Callable[[int], Path], capfd: pytest.CaptureFixture[str]
) -> None:
    model = str(tiny_models(0))
    (folder / "labelled.csv").write_text("distance,delay,late\n1.5,7,no\n2.5,,yes\n")
    table = predict(folder, input="labelled.csv", model=model)
    predictions = ["predicted_late", "predicted_late.no", "predicted_late.yes", "predicted_delay"]
    assert table.column_names == ["distance", "delay", "late", *predictions]
    assert table["delay"].to_pylist() == [7, None]
    np.testing.assert_allclose(table["predicted_delay"].to_numpy(), [3.0, 5.0], atol=1e-4)
    printed = " ".join(capfd.readouterr().out.split())
    assert f"which are prefixed by predicted_: {', '.join(predictions)}" in printed
    assert "of loading" in printed
    only = predict(folder, input="labelled.csv", model=model, only_predictions=True, force=True)
    assert only.column_names == ["late", "late.no", "late.yes", "delay"]
    with pytest.raises(ConfigError, match=r"called like predictions: late, delay; give another --prefix"):
        predict(folder, input="labelled.csv", model=model, prefix="", force=True)


def test_other_columns_keep_their_types(folder: Path, tiny_models: Callable[[int], Path]) -> None:
    model = str(tiny_models(0))
    rows = zip(*(cells for cells, _, _ in OTHERS.values()), strict=True)
    lines = [",".join(["distance", "stops", *OTHERS]), *(",".join(["1.50", "3", *row]) for row in rows)]
    (folder / "others.csv").write_text("\n".join(lines) + "\n")
    table = predict(folder, input="others.csv", model=model)
    assert {name: table.schema.field(name).type for name in OTHERS} == {k: found for k, (_, found, _) in OTHERS.items()}
    assert {name: table[name].to_pylist() for name in OTHERS} == {
        name: values for name, (_, _, values) in OTHERS.items()
    }
    predict(folder, input="others.csv", model=model, output=folder / "out.csv")
    first = (folder / "out.csv").read_text().splitlines()[1]
    # Numbers as they were written and without quotes, all other text in quotes.
    start = '1.50,3,1,1.50,"00501","12345678901234567890","0.12345678901234567","a, b",,"yes",0.18'
    assert first.startswith(start)
    json_rows = ['{"distance": 1, "n": 1, "f": 1, "b": true, "t": "x", "m": 1}', '{"distance": 2, "f": 0.5, "m": "y"}']
    (folder / "others.jsonl").write_text("\n".join(json_rows))
    table = predict(folder, input="others.jsonl", model=model, force=True)
    assert [table[name].to_pylist() for name in "nfbtm"] == [
        [1, None],
        [1.0, 0.5],
        [True, None],
        ["x", None],
        ["1", "y"],
    ]
    predict(folder, input="others.jsonl", model=model, output=folder / "json.csv")
    assert (folder / "json.csv").read_text().splitlines()[1].startswith('1,1,1,true,"x","1","yes",')


def test_a_column_of_decimals_is_written_as_it_was(folder: Path, tiny_models: Callable[[int], Path]) -> None:
    prices = [Decimal("1.50"), Decimal("-0.0000001"), None]
    pq.write_table(
        pa.table({"distance": [1.0, 2.0, 3.0], "price": pa.array(prices, pa.decimal128(20, 7))}), "p.parquet"
    )
    predict(folder, input="p.parquet", model=str(tiny_models(0)), output=folder / "out.csv")
    cells = [line.split(",")[1] for line in (folder / "out.csv").read_text().splitlines()]
    assert cells == ['"price"', "1.5000000", "-0.0000001", ""]


def test_an_empty_cell_in_a_required_column_is_reported_with_its_remedy(
    folder: Path, tiny_models: Callable[[int], Path]
) -> None:
    (folder / "empty.csv").write_text("distance,carrier\n1,UA\n,UA\n")
    (folder / "empty.jsonl").write_text('{"distance": 1}\n{"distance": null}\n')
    pq.write_table(pa.table({"distance": [1.0, float("nan")]}), folder / "empty.parquet")
    for name, place in (("empty.csv", "line 3"), ("empty.jsonl", "line 2"), ("empty.parquet", "row 1")):
        words = f"{name}, {place}: column 'distance' is missing, but required: .* remove the column's `shape`"
        with pytest.raises(DataError, match=words):
            predict(folder, input=name, model=str(tiny_models(0)))


def test_numbers_in_another_form_are_read_as_in_training(folder: Path, tiny_models: Callable[[int], Path]) -> None:
    (folder / "comma.csv").write_text('id,distance,carrier,stops\na,"1,5 km",EV,NA\nb,"1.000,0",NA,2\n')
    data = {"path": str(folder / "data"), "null_values": {"stops": ["NA"]}, "decimal": ",", "thousands": "."}
    features = {"distance": {"kind": "numeric", "unit": "km"}, "carrier": {"kind": "categorical"}}
    config = small_config(folder, data=data, features=features)
    for name in ("out.parquet", "out.csv"):
        options = PredictOptions("comma.csv", folder / name, model=str(tiny_models(0)))
        assert run_predict_job(config, options) == 0
    plain = "id,distance,carrier,stops\na,1.5,EV,\nb,1000.0,NA,2\n"
    (folder / "plain.csv").write_text(plain)
    options = PredictOptions("plain.csv", folder / "plain.parquet", model=str(tiny_models(0)))
    assert run_predict_job(small_config(folder), options) == 0
    assert pq.read_table(folder / "out.parquet").equals(pq.read_table(folder / "plain.parquet"))
    assert (folder / "out.csv").read_text().splitlines()[1].startswith('"a","1,5 km","EV",NA')


def test_an_output_that_is_there_stays(folder: Path, tiny_models: Callable[[int], Path]) -> None:
    (folder / "out.parquet").write_text("mine")
    with pytest.raises(ConfigError, match="out.parquet"):
        predict(folder, model=str(tiny_models(0)))
    assert (folder / "out.parquet").read_text() == "mine"
