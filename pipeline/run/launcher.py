"""TFX's launcher of a node, with a cache that holds no damaged artifacts."""

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

import attr
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx import types
from tfx.dsl.io import fileio
from tfx.orchestration import metadata
from tfx.orchestration.portable import cache_utils, execution_publish_utils, launcher

from components.intact import damage_of, record_files
from janus_core.progress import PROGRESS

Outputs = Mapping[str, Sequence[types.Artifact]]


class Launcher(launcher.Launcher):
    """Records the files of what it publishes, and takes from the cache only what is still the same.

    TFX's own takes what a folder is left of, so that a damaged artifact would end every later run.
    """

    def _prepare_execution(self) -> Any:
        options = self._pipeline_node.execution_options.caching_options
        enabled, options.enable_cache = options.enable_cache, False
        try:
            prepared = super()._prepare_execution()
        finally:
            options.enable_cache = enabled
        if not (enabled and prepared.is_execution_needed):
            return prepared
        with self._mlmd_connection as handle:
            # The last of the contexts is that of the cache key.
            outputs = intact_outputs(handle, self._pipeline_node.node_info.id, prepared.contexts[-1])
            if outputs is None:
                return prepared
            execution_publish_utils.publish_cached_executions(
                metadata_handle=handle,
                contexts=prepared.contexts,
                executions=[prepared.execution_metadata],
                output_artifacts_maps=[outputs],
            )
        info = prepared.execution_info
        for folder in (PurePath(info.execution_output_uri).parent, info.stateful_working_dir):
            fileio.rmtree(str(folder))
        return attr.evolve(prepared, is_execution_needed=False)

    def _publish_successful_execution(
        self, execution_id: int, contexts: list[pb.Context], output_dict: Outputs, executor_output: Any
    ) -> None:
        """Called by TFX; an artifact of the executor's output replaces that of `output_dict`."""
        replaced = executor_output.output_artifacts if executor_output else {}
        for key, artifacts in output_dict.items():
            published = replaced[key].artifacts if key in replaced else [one.mlmd_artifact for one in artifacts]
            for artifact in published:
                record_files(artifact)
        super()._publish_successful_execution(execution_id, contexts, output_dict, executor_output)


def intact_outputs(handle: metadata.Metadata, node: str, cache_context: pb.Context) -> Outputs | None:
    """The newest outputs of a cache key whose files are as they were published; None if there are none.

    Damaged artifacts are marked for deletion in ML Metadata, so that neither the cache nor a Resolver finds them again.
    """
    while (outputs := cache_utils.get_cached_outputs(handle, cache_context)) is not None:
        artifacts = [artifact for several in outputs.values() for artifact in several]
        damaged = []
        for artifact in artifacts:
            if found := damage_of(artifact):
                PROGRESS.warning("%s: %s: its result in the cache is damaged and is not used", node, found)
                artifact.mlmd_artifact.state = pb.Artifact.MARKED_FOR_DELETION
                damaged.append(artifact.mlmd_artifact)
        if not damaged:
            return outputs
        handle.store.put_artifacts(damaged)
    return None
