"""Decides the version of a push before TFX looks into its cache."""

from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto.orchestration import driver_output_pb2

from components.pusher.executor import VERSION, Executor, base_directory, claim_of
from components.pusher.journal import history, settle, withdrawals
from components.pusher.lock import exclusive
from components.pusher.rollback import WITHDRAWN_AT
from components.pusher.storage import content_digest, storage_of
from components.pusher.versions import remove_leftovers, version_for


class Driver(base_driver.BaseDriver, ir_base_driver.BaseDriver):
    """Adds the version to the execution's properties, and so to its cache key.

    Otherwise TFX would take a push from its cache although the version was deleted, is no longer the newest, or was
    withdrawn by a rollback.
    """

    def __init__(self, metadata_handle: metadata.Metadata):
        base_driver.BaseDriver.__init__(self, metadata_handle)
        ir_base_driver.BaseDriver.__init__(self, metadata_handle)

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by TFX; the version is 0 for a model that is not blessed or was withdrawn."""
        pusher = Executor()
        base = base_directory(execution_info.exec_properties)
        taken = 0
        if storage_of(base).exists(base):
            with exclusive(base, claim_of(execution_info.exec_properties, execution_info.pipeline_run_id)):
                settle(base)
                taken = remove_leftovers(base)
        output = driver_output_pb2.DriverOutput()
        version = 0
        if pusher.CheckBlessing(execution_info.input_dict):
            model = pusher.GetModelPath(execution_info.input_dict)
            withdrawn = withdrawals(history(base))
            withdrawal = withdrawn.get(content_digest(model)) if withdrawn else None
            if withdrawal is None:
                version = version_for(model, base, after=taken)
            else:
                output.exec_properties[WITHDRAWN_AT].string_value = withdrawal.time
        output.exec_properties[VERSION].int_value = version
        return output
