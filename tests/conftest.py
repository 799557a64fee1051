"""Every test passes the same door as the command line, before TensorFlow is imported."""

import os
from collections import Counter

import pytest

from pipeline import environment
from tests.tools import is_error, left_out, needed_by

environment.prepare()

# Threads of OpenMP, which scikit-learn's boosted trees use, wait for each other actively: with more of them than idle
# cores, as beside another worker, a fit takes nine times as much of the CPU.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)  # before -m selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the longest tests come first, so that no worker is left alone with one of them at the end."""
    weights: Counter[str] = Counter()
    for item in items:
        for tool in needed_by(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.needs(tool))
        weight = 100 if item.get_closest_marker("very_slow") else 10 if item.get_closest_marker("slow") else 0
        weights[item.nodeid.partition("::")[0]] += weight
    items.sort(key=lambda item: -weights[item.nodeid.partition("::")[0]])


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Leaves a test out whose program is not on this machine; one place, so that the summary has one line for each."""
    for mark in item.iter_markers("needs"):
        reason = left_out(mark.args[0])
        if reason and is_error(mark.args[0]):
            pytest.fail(f"CI=true, but {reason}", pytrace=False)
        if reason:
            pytest.skip(reason)
