import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
sys.path.insert(0, str(CONFIGS))  # as when a script of that folder is run

import flights  # noqa: E402


def run_script(name: str, *arguments: object) -> subprocess.CompletedProcess:
    """Runs a preparation script as `make` does."""
    command = [sys.executable, str(CONFIGS / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture(scope="session")
def flights_source() -> pd.DataFrame:
    return flights.read_source("flights.csv.zip")


@pytest.fixture(scope="session")
def flights_table(flights_source: pd.DataFrame) -> pd.DataFrame:
    return flights.prepare(flights_source)


@pytest.fixture(scope="session")
def flights_sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `flights` (CSV) of a sample of 3,000 rows; `flights-parquet` is beside it."""
    output = tmp_path_factory.mktemp("prepared") / "flights"
    done = run_script("flights", "--rows", 3000, "--output", output)
    assert done.returncode == 0, done.stderr
    return output
