"""Which spans there are, and which of them a run reads: from the paths that `data.path` matches, by TFX's rules.

Needs neither TFX nor TensorFlow, so that a missing span is reported before they are imported.
"""

import datetime
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from janus_core.errors import DataError
from janus_core.tables.config import DataConfig

SPEC = re.compile(r"\{(SPAN|VERSION)(?::(\d+))?\}|\{(YYYY|MM|DD)\}")

_WIDTHS = {"YYYY": "4", "MM": "2", "DD": "2"}
_EPOCH = datetime.date(1970, 1, 1)
_MAX_SHOWN = 8


@dataclass(frozen=True)
class Span:
    """One span, in its latest version.

    Attributes:
        number: as TFX counts: the number in the path, or of a date the days since 1970-01-01.
        version: None where the path has no {VERSION}.
        pattern: of its files, below the folder of `split_path`.
        dated: whether it is named by a date.
    """

    number: int
    version: int | None
    pattern: str
    dated: bool

    def __str__(self) -> str:
        name = (_EPOCH + datetime.timedelta(self.number)).isoformat() if self.dated else str(self.number)
        return name if self.version is None else f"{name} (version {self.version})"


def has_spans(pattern: str) -> bool:
    """Whether a path pattern has a {SPAN}, or the parts of a date."""
    return SPEC.search(pattern) is not None


def spans_of(paths: Iterable[str], pattern: str) -> list[Span]:
    """The spans that paths below a folder belong to, by `pattern`, in ascending order.

    Raises DataError for a pattern that TFX would refuse, and for a date that does not exist.
    """
    names = [match.group(1) or match.group(3) for match in SPEC.finditer(pattern)]
    dated = "SPAN" not in names
    wanted = {"YYYY", "MM", "DD"} if dated else {"SPAN"}
    if len(names) != len(set(names)) or set(names) - {"VERSION"} != wanted:
        raise DataError(
            f"data.path: '{pattern}' must hold either {{SPAN}} or all of {{YYYY}}, {{MM}} and {{DD}}, each once, "
            "and {VERSION} only together with them"
        )
    regex = _regex(pattern)
    latest: dict[int, Span] = {}
    for path in paths:
        match = regex.fullmatch(path)
        if match is None:
            continue
        values = match.groupdict()
        number = _day_number(values, path) if dated else int(values["SPAN"])
        version = int(values["VERSION"]) if "VERSION" in values else None
        known = latest.get(number)
        if known is None or (version or 0) > (known.version or 0):
            latest[number] = Span(number, version, _filled(pattern, values), dated)
    return [latest[number] for number in sorted(latest)]


def choose_span(spans: Sequence[Span], data: DataConfig, number: int | None = None) -> Span:
    """The newest span, or the one with a number.

    Raises DataError if it does not exist, naming those that do.
    """
    if not spans:
        raise DataError(f"data.path: no file matches '{data.path}', so there is no span to read")
    if number is None:
        return spans[-1]
    chosen = next((span for span in spans if span.number == number), None)
    if chosen is None:
        asked = Span(number, None, "", spans[0].dated)
        raise DataError(f"there is no span {asked} in '{data.path}'; the existing ones are {describe_spans(spans)}")
    return chosen


def training_spans(spans: Sequence[Span], evaluated: Span, data: DataConfig) -> list[Span]:
    """The spans that a split by span trains on: the last `data.window` before the evaluated one, newest first.

    Raises DataError if there is none.
    """
    earlier = [span for span in spans if span.number < evaluated.number]
    if not earlier:
        raise DataError(
            f"data.split: by span, span {evaluated} is evaluated and those before it are trained on, but "
            f"'{data.path}' has none before it: run again when there is a later span"
        )
    return earlier[: -data.window - 1 : -1]


def describe_spans(spans: Sequence[Span]) -> str:
    """`1-30, 32`: consecutive spans are joined; of many, only the last ones are listed."""
    ordered = sorted(spans, key=lambda span: span.number)
    breaks = [i for i, (one, two) in enumerate(pairwise(ordered), 1) if two.number - one.number > 1]
    groups = [ordered[start:stop] for start, stop in pairwise([0, *breaks, len(ordered)])]
    shown = [_group(group) for group in groups[-_MAX_SHOWN:]]
    return ", ".join(["…"] * (len(groups) > _MAX_SHOWN) + shown)


def parse_span(text: str) -> int:
    """A span's number, from a number or a date (2013-01-31).

    Raises ValueError for anything else.
    """
    if text.isdecimal():
        return int(text)
    try:
        return (datetime.date.fromisoformat(text) - _EPOCH).days
    except ValueError:
        raise ValueError(f"'{text}' is neither a span's number nor a date such as 2013-01-31") from None


def _filled(pattern: str, values: dict[str, str]) -> str:
    return SPEC.sub(lambda spec: values[spec[1] or spec[3]], pattern)


def _group(group: Sequence[Span]) -> str:
    if len(group) == 1:
        return str(group[0])
    ends = [str(Span(span.number, None, "", span.dated)) for span in (group[0], group[-1])]
    return (" to " if group[0].dated else "-").join(ends)


def _day_number(values: dict[str, str], path: str) -> int:
    try:
        day = datetime.date(int(values["YYYY"]), int(values["MM"]), int(values["DD"]))
    except ValueError as error:
        raise DataError(f"data.path: {path}: there is no such date ({error})") from error
    return (day - _EPOCH).days


def _regex(pattern: str) -> re.Pattern[str]:
    regex, end = "", 0
    for match in SPEC.finditer(pattern):
        regex += _glob_regex(pattern[end : match.start()])
        name, width, date = match.groups()
        size = _WIDTHS[date] if date else width
        regex += f"(?P<{date or name}>" + (rf"\d{{{size}}}" if size else r"\d+") + ")"
        end = match.end()
    return re.compile(regex + _glob_regex(pattern[end:]))


def _glob_regex(pattern: str) -> str:
    return re.escape(pattern).replace(r"\[\[\]", r"\[").replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
