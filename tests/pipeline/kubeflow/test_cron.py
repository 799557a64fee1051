"""Cron expressions."""

import pytest

from janus_core.errors import ConfigError
from pipeline.kubeflow.cron import six_fields


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("30 3 * * *", "0 30 3 * * *"),
        ("0 30 3 * * *", "0 30 3 * * *"),
        ("  15   0 3  30 ? * ", "15 0 3 30 ? *"),
        ("*/15 8-18 * * mon-fri", "0 */15 8-18 * * mon-fri"),
        ("0 0,12 1 JAN,jul *", "0 0 0,12 1 JAN,jul *"),
        ("5/10 * * * 0", "0 5/10 * * * 0"),
        ("0 0 29 2 *", "0 0 0 29 2 *"),
        ("0 0 30 2 mon", "0 0 0 30 2 mon"),
    ],
)
def test_five_and_six_fields(given: str, wanted: str) -> None:
    assert six_fields(given) == wanted


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("30 3 * *", "has 4 fields"),
        ("0 0 30 3 * * 2026", "has 7 fields"),
        ("", "has 0 fields"),
        ("@daily", "has 1 fields"),
        ("60 3 * * *", "minute: '60' is not in 0-59"),
        ("61 0 3 * * *", "second: '61' is not in 0-59"),
        ("0 24 * * *", "hour: '24' is not in 0-23"),
        ("0 0 0 * *", "day of month: '0' is not in 1-31"),
        ("0 0 * 13 *", "month: '13' is not in 1-12"),
        ("0 0 * * 7", "day of week: '7' is not in 0-6; Sunday is 0"),
        ("0 0 * * funday", "day of week: 'funday' is not in"),
        ("0 18-8 * * *", "hour: '18-8' ends before it begins"),
        ("*/0 * * * *", "minute: '0' is no step"),
        ("1,,2 * * * *", "minute: '' is no value"),
        ("0 0 L * *", "day of month: 'L' is not in"),
        ("0 0 30 2 *", "day of month '30' never comes in the month '2'"),
    ],
)
def test_the_field_that_is_wrong_is_told(cron: str, words: str) -> None:
    with pytest.raises(ConfigError, match="cron '") as error:
        six_fields(cron)
    assert words in str(error.value)
