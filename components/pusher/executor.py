"""Copies a blessed model to its version's folder."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tfx.components.pusher import executor as stock
from tfx.proto import pusher_pb2
from tfx.types import Artifact, artifact_utils, standard_component_specs
from tfx.utils import io_utils, proto_utils

from components.pusher.versions import publish, retain

VERSION = "version"


class Executor(stock.Executor):
    """Pushes to the version that the driver chose."""

    def Do(  # noqa: N802 - the name is TFX's
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Called by TFX."""
        self._log_startup(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(output_dict[standard_component_specs.PUSHED_MODEL_KEY])
        version = exec_properties[VERSION]
        if not version:
            self._MarkNotPushed(pushed)
            return
        model = self.GetModelPath(input_dict)
        base = base_directory(exec_properties)
        destination = publish(Path(model), base, version)
        retain(base, json.loads(exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY])["keep"])
        io_utils.copy_dir(model, pushed.uri)
        self._MarkPushed(pushed, pushed_destination=str(destination), pushed_version=str(version))


def base_directory(exec_properties: Mapping[str, Any]) -> Path:
    """The folder of versions that a push goes to."""
    destination = pusher_pb2.PushDestination()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.PUSH_DESTINATION_KEY], destination)
    return Path(destination.filesystem.base_directory)
