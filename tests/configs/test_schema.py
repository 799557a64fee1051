import pyarrow as pa
import pyarrow.csv as pacsv
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl
from tensorflow_metadata.proto.v0.anomalies_pb2 import Anomalies

from tests.configs.conftest import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def schema():
    return tfdv.load_schema_text(str(ROOT / "schema" / "flights.pbtxt"))


@pytest.fixture(scope="module")
def splits(flights_sample) -> dict[str, dict[str, list]]:
    """The sample's columns, as the config divides them."""
    options = pacsv.ConvertOptions(strings_can_be_null=True)
    table = pacsv.read_csv(flights_sample / "flights.csv", convert_options=options)
    first = table["day_of_year"].to_pylist().index(min(x for x in table["day_of_year"].to_pylist() if x >= 305))
    return {"train": table[:first].to_pydict(), "eval": table[first:].to_pydict()}


def anomalies(columns: dict[str, list], schema) -> dict[str, str]:
    """Each column with an anomaly → what TFDV says of it."""
    lists = [pa.array([None if x is None else [x] for x in values]) for values in columns.values()]
    batch = pa.RecordBatch.from_arrays(lists, list(columns))
    statistics = stats_impl.generate_statistics_in_memory(batch, tfdv.StatsOptions(schema=schema))
    found: Anomalies = tfdv.validate_statistics(statistics, schema)
    return {name: info.description for name, info in found.anomaly_info.items()}


@pytest.mark.parametrize("split", ["train", "eval"])
def test_a_sample_of_3000_rows_has_no_anomaly(splits, schema, split):
    assert anomalies(splits[split], schema) == {}


def spoilt(column: str, values: list) -> list:
    faults = {
        "carrier": lambda i, x: "ua" if i == 3 else x,
        "origin": lambda i, x: "PHL" if i == 3 else x,
        "status": lambda i, x: "late" if i == 3 else x,
        "dest": lambda i, x: x.lower() if i % 10 == 0 else x,
        "sched_dep_min": lambda i, x: 1440 if i == 3 else x,
        "wind_speed": lambda i, x: 1048.36 if i == 3 else x,
        "humid": lambda i, x: float("nan") if i == 3 else x,
        "temp": lambda i, x: None if i % 5 == 0 else x,
        "arr_delay": lambda i, x: None if i % 5 == 0 else x,
        "distance": lambda i, x: str(x),
        "flight_id": lambda i, x: None if i == 3 else x,
        "board_waiting": lambda i, x: 1.5 if i == 3 else x,
    }
    return [faults[column](i, x) for i, x in enumerate(values)]


@pytest.mark.parametrize(
    "column",
    ["carrier", "origin", "status", "dest", "sched_dep_min", "wind_speed", "humid", "temp", "arr_delay"]
    + ["distance", "flight_id", "board_waiting"],
)
def test_a_fault_is_an_anomaly_of_its_column(splits, schema, column):
    columns = splits["eval"] | {column: spoilt(column, splits["eval"][column])}
    assert set(anomalies(columns, schema)) == {column}


def test_a_missing_and_an_unknown_column_are_anomalies(splits, schema):
    columns = dict(splits["eval"])
    columns["dep_delay"] = columns.pop("visib")
    assert set(anomalies(columns, schema)) == {"visib", "dep_delay"}


def test_a_few_new_destinations_are_none(splits, schema):
    columns = splits["eval"] | {"dest": ["XXX", *splits["eval"]["dest"][1:]]}
    assert anomalies(columns, schema) == {}
