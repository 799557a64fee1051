"""Whether Beam's workers see the files that the pipeline reads and writes."""

from collections.abc import Sequence

from janus_core.errors import ConfigError
from pipeline.beam.check import DATAFLOW, runner_of

CLOUD = "gs://"


def check_places(arguments: Sequence[str], places: dict[str, str]) -> None:
    """Refuses folders of this machine where the workers certainly have none of it.

    On Flink and Spark a shared volume may be mounted alike everywhere, which nobody can see from here.

    Args:
        arguments: Beam's.
        places: what a place is called → its path or URL.

    Raises:
        ConfigError: Dataflow is to read or write elsewhere than in Cloud Storage.
    """
    if runner_of(arguments) != DATAFLOW:
        return
    local = [f"{name} '{place}'" for name, place in places.items() if not place.startswith(CLOUD)]
    if local:
        raise ConfigError(
            f"beam: Dataflow's workers cannot see {', '.join(local)}: they need gs://; `janus run` keeps the pipeline "
            "root on this machine, so run on Kubeflow with kubeflow.pipeline_root and data_path in gs://"
        )
