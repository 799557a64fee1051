"""Checks of answers: whether they are finite, of the right shape, and as expected."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

TOLERANCE = 1e-5
"""The tolerated difference, relative to the largest of 1, the number's size and the output's `LARGE` quantile: a small
difference of two large numbers keeps their rounding error."""
LARGE = 0.9
"""Not the median: where most labels are small and a few are huge, the network's last layer computes with huge numbers.
Not the maximum: one answer to a row of extreme values would hide all differences."""

Answers = dict[str, np.ndarray]
"""Output of a signature → its values, a row each."""


def unusable(who: str, answers: Mapping[str, np.ndarray], rows: Sequence[str]) -> Iterator[str]:
    """A sentence for each output that is not one finite value, or vector of them, per row.

    Args:
        who: the signature, as the sentences begin.
        answers: its outputs.
        rows: the rows' names.
    """
    for output, values in sorted(answers.items()):
        if values.shape[:1] != (len(rows),):
            yield f"{who}: output {output} has the shape {list(values.shape)} for {_count(len(rows))}"
        elif np.issubdtype(values.dtype, np.floating):
            wrong = ~np.isfinite(values)
            if wrong.any():
                row, value = _first(wrong, values)
                yield f"{who}: output {output} of {rows[row]}{_more(wrong)} is {value}"


def differences(
    who: str,
    answers: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    rows: Sequence[str],
    source: str,
    whole: Mapping[str, np.ndarray] | None = None,
) -> Iterator[str]:
    """A sentence for each output that is not as expected, by more than `TOLERANCE`.

    Args:
        who: the signature, as the sentences begin.
        answers: its outputs; NaN equals NaN, which `unusable` finds.
        expected: the same, from another source.
        rows: the rows' names.
        source: where the expected values are from, as in "as <source>".
        whole: the answers to all rows, whose sizes say what rounding is, where `expected` is a part of them.
    """
    for output in sorted(set(answers) ^ set(expected)):
        yield f"{who}: output {output} is {'given' if output in answers else 'absent'}, other than in {source}"
    for output in sorted(set(answers) & set(expected)):
        values, others = answers[output], expected[output]
        if values.shape != others.shape:
            yield f"{who}: output {output} has the shape {list(values.shape)}, but {list(others.shape)} in {source}"
            continue
        wrong = _unequal(values, others, (whole or expected)[output])
        probability = output.removesuffix("/decision").removesuffix("/tags")
        if probability != output and probability in answers and probability in expected:
            # A probability that differs in its last digits may be on the other side of the threshold, or no longer the
            # greatest. A larger difference is reported for the probability itself.
            same = answers[probability] == expected[probability]
            wrong &= same.reshape(*wrong.shape, -1).all(axis=-1)
        if wrong.any():
            row, value = _first(wrong, values)
            other = _first(wrong, others)[1]
            yield f"{who}: output {output} of {rows[row]}{_more(wrong)} is {value}, but {other} in {source}"


def write_answers(path: Path, answers: Mapping[str, Answers]) -> None:
    """Writes the answers of signatures; strings lose their trailing zero bytes."""
    np.savez(
        path,
        **{
            f"{signature}:{output}": values.astype("S") if values.dtype == object else values
            for signature, outputs in answers.items()
            for output, values in outputs.items()
        },
    )


def read_answers(path: Path) -> dict[str, Answers]:
    """Reads the answers of signatures, strings as object arrays of bytes."""
    answers: dict[str, Answers] = {}
    with np.load(path, allow_pickle=False) as file:
        for key in file.files:
            signature, _, output = key.partition(":")
            values = file[key]
            answers.setdefault(signature, {})[output] = values.astype(object) if values.dtype.kind == "S" else values
    return answers


def _unequal(values: np.ndarray, others: np.ndarray, whole: np.ndarray) -> np.ndarray:
    if not (np.issubdtype(values.dtype, np.number) and np.issubdtype(others.dtype, np.number)):
        return np.asarray(values != others)
    finite = np.isfinite(values) & np.isfinite(others)
    known = whole[np.isfinite(whole)]
    if values.dtype == np.float64 and known.size:
        # For a label with a large offset, the predicted differences are small compared to it.
        middle = np.median(known)
        values, others, known = values - middle, others - middle, known - middle
    sizes = np.abs(np.where(finite, others, 0))
    large = max(1.0, float(np.quantile(np.abs(known), LARGE))) if known.size else 1.0
    close = np.abs(np.where(finite, values, 0) - np.where(finite, others, 0)) <= TOLERANCE * np.maximum(sizes, large)
    same = (values == others) | (np.isnan(values) & np.isnan(others))
    return np.where(finite, ~close, ~same)


def _first(wrong: np.ndarray, values: np.ndarray) -> tuple[int, object]:
    place = tuple(np.argwhere(wrong)[0])
    value = values[place]
    return int(place[0]), value.decode(errors="replace") if isinstance(value, bytes) else value.item()


def _more(wrong: np.ndarray) -> str:
    others = int(wrong.reshape(len(wrong), -1).any(axis=1).sum()) - 1
    return f" and of {_count(others)} more" if others else ""


def _count(rows: int) -> str:
    return f"{rows} row{'' if rows == 1 else 's'}"
