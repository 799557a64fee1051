"""What reaches each Beam step, and what `janus beam` shows of it."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from tfx.utils import dependency_utils

from janus_core.errors import JanusError
from pipeline.commands.beam.job import beam_steps, run_beam_job
from tests.pipeline.config.test_beam import FLINK
from tests.pipeline.small import small_config

STEPS = ["ExampleGen", "StatisticsGen", "Transform", "Evaluator"]
BEAM = {"profile": "flink", "flink": FLINK, "args": ["--parallelism=4"]}


@pytest.mark.parametrize("engine", ["batch", "tfma"])
def test_every_beam_step_is_given_the_same(tmp_path: Path, engine: str) -> None:
    config = small_config(tmp_path, beam=BEAM, evaluation={"engine": engine})
    assert beam_steps(config) == dict.fromkeys(STEPS, config.beam.arguments())


def test_tfx_packs_no_copy_of_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = []
    monkeypatch.setattr(dependency_utils, "build_ephemeral_package", lambda: packed.append("sdist") or "sdist")
    for beam in (BEAM, {"direct": {"direct_num_workers": 2}}, {"args": ["--runner=DirectRunner"]}):
        arguments = small_config(tmp_path, beam=beam).beam.arguments()
        assert dependency_utils.make_beam_dependency_flags(arguments) == arguments
    assert packed == []
    dependency_utils.make_beam_dependency_flags(["--runner=DirectRunner"])
    assert packed == ["sdist"], "which is what it does otherwise"


def test_the_command_shows_them(tmp_path: Path) -> None:
    shown = io.StringIO()
    assert run_beam_job(small_config(tmp_path, beam=BEAM), Console(file=shown, width=200), connect=False) == 0
    lines = shown.getvalue().splitlines()
    assert lines[0] == "ExampleGen, StatisticsGen, Transform, Evaluator, janus predict --beam"
    assert [line.strip() for line in lines[1:-2]] == small_config(tmp_path, beam=BEAM).beam.arguments()
    assert lines[-2:] == ["job server jobs:8099 was not asked", "the arguments are right"]
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_the_command_asks_the_job_server(tmp_path: Path) -> None:
    config = small_config(tmp_path, beam={"profile": "flink", "flink": {**FLINK, "job_endpoint": "localhost:1"}})
    with pytest.raises(JanusError, match="localhost:1: no Beam job server answers"):
        run_beam_job(config, Console(file=io.StringIO()))
