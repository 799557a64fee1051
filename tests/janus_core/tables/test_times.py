"""Dates and times as text, beside Python's own parser."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from janus_core.tables.times import parse_times, time_pattern


@pytest.mark.parametrize(
    "form",
    ["%d/%m/%Y", "%d.%m.%y %H:%M", "%b %d, %Y %I:%M:%S %p", "%Y-%m-%dT%H:%M:%S.%f%z", "%d-%B-%Y", "%Y%m%d"],
)
def test_as_strptime(form: str) -> None:
    random = np.random.RandomState(3)
    zone = datetime.timezone(datetime.timedelta(hours=-5, minutes=-30))
    moments = [datetime.datetime(2021, 1, 1, tzinfo=zone) + datetime.timedelta(seconds=s) for s in range(200)]
    moments = [m + datetime.timedelta(seconds=int(random.randint(3e8)), microseconds=17) for m in moments]
    texts = [moment.strftime(form) for moment in moments]
    times = parse_times(pa.array([*texts, None, "nothing"]), form)
    wanted = [datetime.datetime.strptime(text, form).replace(tzinfo=None) for text in texts]
    assert times.valid.tolist() == [True] * 200 + [False, False]
    assert times.local[:200].astype("datetime64[us]").tolist() == wanted
    assert times.zoned[:200].all() == ("%z" in form)
    if "%z" in form:
        assert (times.instant[:200] - times.local[:200] == 330 * 60_000_000).all()


def test_days_that_are_in_no_calendar() -> None:
    times = parse_times(pa.array(["29/02/2020", "29/02/2021", "31/04/2021", "00/01/2021", "01/13/2021"]), "%d/%m/%Y")
    assert times.valid.tolist() == [True, False, False, False, False]
    assert parse_times(pa.array(["04-Foo-21", "04-Sept-21"]), "%d-%b-%y").valid.tolist() == [False, True]


@pytest.mark.parametrize(
    ("form", "words"), [("%d/%q", "'%q' is not supported"), ("%Y %m %Y", "twice"), ("%H:%M", "needs at least a year")]
)
def test_formats_that_are_none(form: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        time_pattern(form)
