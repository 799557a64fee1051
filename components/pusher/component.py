"""TFX's Pusher with atomic versions, removal of old ones, and a cache that takes account of what is served."""

from collections.abc import Mapping
from typing import Any

from tfx.components.pusher import component as stock
from tfx.dsl.components.base import base_driver, executor_spec
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable.data_types import ExecutionInfo
from tfx.proto import pusher_pb2
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import BaseChannel

from components.pusher.checked import require_checked
from components.pusher.executor import VERSION, Executor, base_directory, claim_of
from components.pusher.lock import exclusive
from components.pusher.rollback import WITHDRAWN_AT
from components.pusher.state import history, settle, withdrawal_of
from components.pusher.storage import storage_of
from components.pusher.versions import remove_leftovers, version_for


class Driver(base_driver.BaseDriver, ir_base_driver.BaseDriver):
    """Adds the version to the execution's properties, and so to its cache key.

    Otherwise TFX would take a push from its cache although the version was deleted, is no longer the newest, or was
    withdrawn by a rollback.
    """

    def run(self, execution_info: ExecutionInfo) -> driver_output_pb2.DriverOutput:
        """Called by TFX; the version is 0 for a model that is not blessed or was withdrawn.

        Raises:
            ServingError: the model is no longer what passed the serving check.
        """
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
            require_checked(execution_info.input_dict, model)
            withdrawal = withdrawal_of(history(base), model)
            if withdrawal is None:
                version = version_for(model, base, after=taken)
            else:
                output.exec_properties[WITHDRAWN_AT].string_value = withdrawal.time
        output.exec_properties[VERSION].int_value = version
        return output


class Pusher(stock.Pusher):
    """Pushes a blessed model to `base_directory/<version>` and keeps the newest `keep` versions.

    While the newest version there is this very model, the version does not change and the component is cached. A model
    that a rollback withdrew is not pushed. If `infra_blessing` has a stamped model, that model is pushed instead of
    `model`, which may then be absent; if it is negative, nothing is pushed.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(Executor)
    DRIVER_CLASS = Driver

    def __init__(
        self,
        model: BaseChannel | None,
        model_blessing: BaseChannel,
        base_directory: str,
        keep: int,
        wait_seconds: float = 300.0,
        lease_seconds: float = 3600.0,
        infra_blessing: BaseChannel | None = None,
        labels: Mapping[str, int] | None = None,
    ):
        """Defines the step.

        Args:
            model: as in TFX.
            model_blessing: as in TFX.
            base_directory: the folder of versions, a path or a URL.
            keep: how many of the newest versions stay.
            wait_seconds: how long to wait for another push or rollback into the folder.
            lease_seconds: seconds after which another machine may treat this push as dead.
            infra_blessing: as in TFX.
            labels: label → version that stays however old it is, beside those in the folder's own file of labels.
        """
        custom_config: dict[str, Any] = {"keep": keep, "wait_seconds": wait_seconds, "lease_seconds": lease_seconds}
        if labels:
            custom_config["labels"] = dict(labels)
        super().__init__(
            model=model,
            model_blessing=model_blessing,
            infra_blessing=infra_blessing,
            push_destination=pusher_pb2.PushDestination(
                filesystem=pusher_pb2.PushDestination.Filesystem(base_directory=base_directory)
            ),
            custom_config=custom_config,
        )
