"""Every test passes the same door as the command line, before TensorFlow is imported."""

from collections import Counter

import pytest

from pipeline import environment

environment.prepare()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with the longest tests come first, so that no worker is left alone with one of them at the end."""
    weights: Counter[str] = Counter()
    for item in items:
        weight = 100 if item.get_closest_marker("very_slow") else 10 if item.get_closest_marker("slow") else 0
        weights[item.nodeid.partition("::")[0]] += weight
    items.sort(key=lambda item: -weights[item.nodeid.partition("::")[0]])
