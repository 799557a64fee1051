"""A pipeline's home in an empty folder."""

from pathlib import Path

import pytest

from pipeline.config import JanusConfig
from tests.pipeline.commands.harness import Runs
from tests.pipeline.small import small_config


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> JanusConfig:
    monkeypatch.chdir(tmp_path)
    return small_config(Path(), push={"path": "serving", "keep": 3})


@pytest.fixture
def runs(config: JanusConfig) -> Runs:
    return Runs(config)
