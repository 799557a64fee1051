"""What `make setup` leaves behind."""

import importlib.util
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["tensorflow", "keras", "tfx", "tensorflow_model_analysis", "apache_beam", "pipeline"])
def test_the_packages_are_compiled(name: str) -> None:
    """Otherwise each process compiles them where PYTHONDONTWRITEBYTECODE is set, as it is in many images."""
    spec = importlib.util.find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(importlib.util.cache_from_source(spec.origin)).exists()
