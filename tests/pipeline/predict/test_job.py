"""`janus predict`: files in, files out, by a server, by a folder, by Beam."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from pipeline.predict.job import run_predict_job
from pipeline.predict.options import PredictOptions
from tests.pipeline.small import small_config
from trainer.errors import ConfigError, DataError, JanusError, ServingError

ROWS = 500


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a table of rows, some of whose values are missing."""
    monkeypatch.chdir(tmp_path)
    lines = ["id,distance,carrier,stops"]
    lines += [f"{row:03},{row / 100},{'EV' if row % 3 else ''},{row % 4 or ''}" for row in range(ROWS)]
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


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
    assert run_predict_job(small_config(folder), options) == 0
    assert all(path.name.startswith("part-") for path in (folder / "sharded").iterdir())
    check(pq.read_table(folder / "sharded").sort_by("distance"))


def test_what_cannot_be_predicted_is_told_and_nothing_is_written(
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
    assert (folder / "out.csv").read_text().splitlines()[1].startswith('"NA","1.0","EV","NA"')


def test_an_output_that_is_there_stays(folder: Path, tiny_models: Callable[[int], Path]) -> None:
    (folder / "out.parquet").write_text("mine")
    with pytest.raises(ConfigError, match="out.parquet"):
        predict(folder, model=str(tiny_models(0)))
    assert (folder / "out.parquet").read_text() == "mine"
