"""The driver: finds the statistics of the last blessed run, before TFX looks into its cache."""

from collections.abc import Iterable

from ml_metadata import MetadataStore
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.dsl.components.base import base_driver
from tfx.orchestration import data_types_utils
from tfx.orchestration import metadata as tfx_metadata
from tfx.orchestration.portable import base_driver as portable_driver
from tfx.orchestration.portable import data_types
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import Artifact, artifact_utils

from components.resolver.models import BLESSING, last_blessed

BLESSED_STATISTICS = "blessed_statistics"
"""Execution property: the address of these statistics, empty where there are none."""

STATISTICS, EXAMPLES = "statistics", "examples"


class BlessedStatisticsDriver(base_driver.BaseDriver, portable_driver.BaseDriver):
    """Sets `blessed_statistics`: of the last blessed model that is older than the statistics to judge.

    A driver, since a Resolver would be one more step, on Kubeflow one more pod. As with a warm start, a run that
    changes nothing gets the same answer as the one before.
    """

    def __init__(self, metadata_handler: tfx_metadata.Metadata):
        base_driver.BaseDriver.__init__(self, metadata_handler)
        portable_driver.BaseDriver.__init__(self, metadata_handler)

    def run(self, execution_info: data_types.ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by TFX."""
        newest = artifact_utils.get_single_instance(execution_info.input_dict[STATISTICS])
        with self._mlmd_connection as handle:
            found = blessed_statistics(handle.store, newest.id)
        result = driver_output_pb2.DriverOutput()
        given = {**execution_info.exec_properties, BLESSED_STATISTICS: found}
        for key, value in given.items():
            if value is not None:
                data_types_utils.set_metadata_value(result.exec_properties[key], value)
        return result


def blessed_statistics(store: MetadataStore, newest: int) -> str:
    """The address of the statistics that the last blessed model older than artifact `newest` is from, or nothing."""
    models = [model for model in _artifacts(store, "Model") if model.id < newest]
    for blessing in last_blessed(models, _artifacts(store, "ModelBlessing"))[BLESSING]:
        evaluators = _executions(store, [blessing.id], pb.Event.OUTPUT, "blessing")
        examples = _of_executions(store, evaluators, pb.Event.INPUT, EXAMPLES)
        readers = _executions(store, examples, pb.Event.INPUT, EXAMPLES)
        found = _of_executions(store, readers, pb.Event.OUTPUT, STATISTICS)
        if found:
            (artifact,) = store.get_artifacts_by_id([max(found)])
            return str(artifact.uri)
    return ""


def _artifacts(store: MetadataStore, kind: str) -> list[Artifact]:
    # Asked for the artifacts of a type that it does not know, ML Metadata fails.
    types = [known for known in store.get_artifact_types() if known.name == kind]
    return [
        artifact_utils.deserialize_artifact(known, artifact)
        for known in types
        for artifact in store.get_artifacts_by_type(kind)
    ]


def _executions(store: MetadataStore, artifacts: Iterable[int], direction: int, key: str) -> set[int]:
    wanted = list(artifacts)
    events = store.get_events_by_artifact_ids(wanted) if wanted else []
    return {event.execution_id for event in events if event.type == direction and _key(event) == key}


def _of_executions(store: MetadataStore, executions: Iterable[int], direction: int, key: str) -> set[int]:
    wanted = list(executions)
    events = store.get_events_by_execution_ids(wanted) if wanted else []
    return {event.artifact_id for event in events if event.type == direction and _key(event) == key}


def _key(event: pb.Event) -> str:
    return str(event.path.steps[0].key) if event.path.steps else ""
