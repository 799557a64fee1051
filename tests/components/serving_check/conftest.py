"""One good model for all tests."""

from pathlib import Path

import pytest

from tests.components.serving_check.models import save_model


@pytest.fixture(scope="session")
def good_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Passes every check; not to be changed."""
    return save_model(tmp_path_factory.mktemp("good") / "model")
