"""Keeps failed checks out of TFX's cache."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.types import standard_component_specs as specs

from components.serving_check.executor import BLESSED, MODEL_ID

FAILURES = "earlier_failures"


class Driver(base_driver.BaseDriver, ir_base_driver.BaseDriver):
    """Adds the number of times that this model failed to the execution's properties, and so to its cache key.

    Time and memory depend on the machine too: a check that failed on a busy one must be repeated, not cached.
    """

    def __init__(self, metadata_handle: metadata.Metadata):
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)
        self._metadata = metadata_handle

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by TFX."""
        model = artifact_utils.get_single_instance(execution_info.input_dict[specs.MODEL_KEY])
        with self._metadata as handle:
            blessings = handle.store.get_artifacts_by_type(standard_artifacts.InfraBlessing.TYPE_NAME)
        failures = [
            blessing
            for blessing in blessings
            if blessing.custom_properties[MODEL_ID].int_value == model.id
            and not blessing.custom_properties[BLESSED].int_value
        ]
        output = driver_output_pb2.DriverOutput()
        output.exec_properties[FAILURES].int_value = len(failures)
        return output
