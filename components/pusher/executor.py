"""Copies a blessed model to its version's folder."""

import json
from collections.abc import Mapping
from typing import Any

from tfx.components.pusher import executor as stock
from tfx.proto import pusher_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import io_utils, path_utils, proto_utils

from components.artifacts import Artifacts
from components.pusher.checked import checked_files
from components.pusher.identity import IDENTITY, identity_of
from components.pusher.lock import Claim
from components.pusher.push import push
from components.pusher.rollback import CONTENT_DIGEST, WITHDRAWN_AT
from janus_core.progress import ModelPushed, announce

VERSION = "version"
_HAS_MODEL = "has_model"


class Executor(stock.Executor):
    """Pushes to the version that the driver chose, unless a rollback has withdrawn the model."""

    def GetModelPath(self, input_dict: Artifacts) -> str:
        """The model that the serving check stamped, if it did: it carries the warm-up requests; else the Trainer's."""
        for blessing in input_dict.get(standard_component_specs.INFRA_BLESSING_KEY) or []:
            if blessing.get_int_custom_property(_HAS_MODEL):
                return str(path_utils.stamped_model_path(blessing.uri))
        return str(super().GetModelPath(input_dict))

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX."""
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        version = exec_properties[VERSION]
        if not version and not exec_properties.get(WITHDRAWN_AT):
            self._MarkNotPushed(pushed)
            return
        model = self.GetModelPath(input_dict)
        settings = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
        # The driver has looked into the folder, but a rollback may have happened since.
        labelled = settings.get("labels", {}).values()
        claim = claim_of(exec_properties, self._context.pipeline_run_id if self._context else None)
        base, files = base_directory(exec_properties), checked_files(input_dict)
        done = push(model, base, settings["keep"], version, labelled, claim, files)
        pushed.set_string_custom_property(CONTENT_DIGEST, done.digest)
        pushed.set_string_custom_property(IDENTITY, identity_of(model))
        if done.withdrawal is not None:
            pushed.set_string_custom_property(WITHDRAWN_AT, done.withdrawal.time)
            self._MarkNotPushed(pushed)
            return
        announce(ModelPushed(str(done.destination)))
        io_utils.copy_dir(model, pushed.uri)
        self._MarkPushed(pushed, pushed_destination=done.destination, pushed_version=str(done.version))


def claim_of(exec_properties: Mapping[str, Any], run_id: str | None) -> Claim:
    """A run's claim to the folder of versions."""
    settings = json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])
    times = {key: settings[key] for key in ("wait_seconds", "lease_seconds")}
    return Claim(f"run {run_id}", **times) if run_id else Claim(**times)


def base_directory(exec_properties: Mapping[str, Any]) -> str:
    """The folder of versions that a push goes to, a path or a URL."""
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
    return str(destination.filesystem.base_directory)
