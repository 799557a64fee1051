"""Makes data/taxi: 15,000 taxi trips in Chicago, from the CSV inside the tfx package.

Both tasks are predicted when the passenger has got in and named the destination. What is known only at the end of the
trip is left out: fare, miles and time of the trip, the tip and how it is paid. (How it is paid would tell the most: a
tip in cash is not recorded, so that nearly every big tip was paid by card.)
"""

import numpy as np
import pandas as pd
import pyarrow as pa
from _tables import argument_parser, package_file, sample_rows, write_csv

SEED = 17
SOURCE = "examples/chicago_taxi_pipeline/data/simple/data.csv"
BIG_TIP_SHARE = 0.2
SMALL_COMPANY_TRIPS = 100

SCHEMA = pa.schema(
    {
        "trip_start_month": pa.int64(),
        "trip_start_day": pa.int64(),  # of the week, 1 is Sunday
        "trip_start_hour": pa.int64(),
        "company": pa.string(),  # missing for a third of the trips
        "pickup_area": pa.int64(),
        "pickup_latitude": pa.float64(),
        "pickup_longitude": pa.float64(),
        "dropoff_area": pa.int64(),  # missing outside of the city
        "dropoff_latitude": pa.float64(),
        "dropoff_longitude": pa.float64(),
        "beeline_km": pa.float64(),  # between the two places
        "big_tip": pa.int64(),  # 1: the tip is over 20 % of the fare; missing where there is no fare
        "trip_seconds": pa.int64(),  # missing where none were measured
    }
)


def read_source() -> pd.DataFrame:
    """Reads the CSV of the tfx package."""
    return pd.read_csv(package_file("tfx", SOURCE))


def beeline_km(trips: pd.DataFrame) -> pd.Series:
    """The distance on the sphere between a trip's two places."""
    ends = np.radians(
        trips[["pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"]].to_numpy(dtype=float)
    )
    lat1, lon1, lat2, lon2 = ends.T
    half = np.sin((lat2 - lat1) / 2) ** 2 + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2) ** 2
    return pd.Series(2 * 6371 * np.arcsin(np.sqrt(half)), index=trips.index).round(3)


def prepare(trips: pd.DataFrame) -> pd.DataFrame:
    """Derives the two labels and what is known when a trip starts."""
    # Two of the 15,002 rows hold no place at all.
    trips = trips[trips["pickup_community_area"].notna()].reset_index(drop=True)
    trips = trips.rename(columns={"pickup_community_area": "pickup_area", "dropoff_community_area": "dropoff_area"})
    # The rare names are single drivers', most of them seen once: nothing can be learnt of them one by one.
    trips_of_company = trips.groupby("company")["company"].transform("size")
    trips["company"] = trips["company"].mask(trips_of_company < SMALL_COMPANY_TRIPS, "other")
    trips["beeline_km"] = beeline_km(trips)
    trips["big_tip"] = (trips["tips"] > BIG_TIP_SHARE * trips["fare"]).astype("Int64").mask(~(trips["fare"] > 0))
    trips["trip_seconds"] = trips["trip_seconds"].mask(trips["trip_seconds"] == 0)
    whole = [field.name for field in SCHEMA if pa.types.is_integer(field.type)]
    return trips[SCHEMA.names].astype(dict.fromkeys(whole, "Int64"))


def main() -> None:
    """Parses the command line, prepares and writes."""
    arguments = argument_parser(__doc__, "data/taxi").parse_args()
    frame = sample_rows(prepare(read_source()), arguments.rows, SEED)
    write_csv(frame, SCHEMA, arguments.output / f"{arguments.output.name}.csv")


if __name__ == "__main__":
    main()
