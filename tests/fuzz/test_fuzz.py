"""A few hundred cases of `python -m tests.fuzz`, which tries as many as it is asked to."""

from collections import Counter
from pathlib import Path

import pytest

from tests.fuzz.run import try_case
from tests.fuzz.targets import TARGETS

CASES = {"config": 100, "rest": 150, "grpc": 150, "table": 50, "model": 8}
GOOD = {"config": "accepted", "rest": "200", "grpc": "OK", "table": "rows", "model": "loaded"}
"""How a case ends that is not damaged too badly: else the cases would show little."""


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_bad_input_ends_with_a_message(target: str, tmp_path: Path) -> None:
    case = TARGETS[target](tmp_path)
    ends = [try_case(case, target, 1, number) for number in range(CASES[target])]
    assert [f"{number}: {end}" for number, end in enumerate(ends) if end.startswith("!")] == []
    counted = Counter(ends)
    assert counted[GOOD[target]] > 0, counted
    assert len(counted) > 1, counted
