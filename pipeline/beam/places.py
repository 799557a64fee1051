"""Whether Beam's workers see the files that the pipeline reads and writes."""

from collections.abc import Sequence

from janus_core.errors import ConfigError
from pipeline.beam.check import DATAFLOW, runner_of

CLOUD = "gs://"


def check_places(arguments: Sequence[str], places: dict[str, str]) -> None:
    """Refuses folders of this machine that the workers certainly cannot read.

    On Flink and Spark, a shared volume may be mounted at the same path everywhere, which cannot be checked here.

    Args:
        arguments: Beam's.
        places: the name of a place → its path or URL.

    Raises:
        ConfigError: Dataflow would have to read or write outside of Cloud Storage.
    """
    if runner_of(arguments) != DATAFLOW:
        return
    local = [f"{name} '{place}'" for name, place in places.items() if not place.startswith(CLOUD)]
    if local:
        raise ConfigError(
            f"beam: Dataflow's workers cannot see {', '.join(local)}: they need gs://; `janus run` keeps the pipeline "
            "root on this machine, so run on Kubeflow with kubeflow.pipeline_root and data_path in gs://"
        )
