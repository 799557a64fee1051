"""The Beam arguments of each step, from the pipeline that TFX would run."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tfx.dsl.components.base.executor_spec import BeamExecutorSpec

from pipeline.config import JanusConfig
from pipeline.dag import Places, create_pipeline


def beam_steps(config: JanusConfig) -> dict[str, list[str]]:
    """Step → its Beam arguments, for the steps that run a Beam pipeline; nothing is run, and no file remains."""
    with TemporaryDirectory() as folder:
        places = Places(root=folder, metadata=None, schemas=Path(folder), checkpoints=None)
        nodes = create_pipeline(config, places).components
    specs = {node.id: node.executor_spec for node in nodes}
    return {name: list(spec.beam_pipeline_args) for name, spec in specs.items() if isinstance(spec, BeamExecutorSpec)}
