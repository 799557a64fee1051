"""Decides the version of a push before TFX looks into its cache."""

from pathlib import Path

from tfx.components.pusher import executor as stock
from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2

from components.pusher.executor import VERSION, base_directory
from components.pusher.versions import remove_leftovers, version_for


class Driver(base_driver.BaseDriver, ir_base_driver.BaseDriver):
    """Adds the version to the execution's properties, and so to its cache key.

    Without it a cached push would be believed although its version was deleted, or is no longer the newest.
    """

    def __init__(self, metadata_handle: metadata.Metadata):
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by TFX; the version is 0 for a model that is not blessed."""
        pusher = stock.Executor()
        base = base_directory(execution_info.exec_properties)
        remove_leftovers(base)
        version = 0
        if pusher.CheckBlessing(execution_info.input_dict):
            model = Path(pusher.GetModelPath(execution_info.input_dict))
            version = version_for(model, base)
        output = driver_output_pb2.DriverOutput()
        output.exec_properties[VERSION].int_value = version
        return output
