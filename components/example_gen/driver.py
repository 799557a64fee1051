"""The driver: decides which files a run reads before TFX looks into its cache."""

import glob
import json
from typing import Any

from tfx.components.example_gen import utils
from tfx.components.example_gen.driver import FileBasedDriver
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_component_specs
from tfx.utils import io_utils, proto_utils

from components.example_gen.parameters import read_parameters
from janus_core.progress import PROGRESS
from janus_core.tables.config import DataConfig
from janus_core.tables.files import below_folder, list_spans, split_path
from janus_core.tables.spans import Span, choose_span, describe_spans, has_spans, training_spans

TRAINING_SPANS_KEY = "training_spans"
"""Execution property of a split by span: JSON of the spans that train, newest first."""


class SpanDriver(FileBasedDriver):
    """TFX's driver, which names the existing spans when one is missing, and reads several for a split by span.

    The fingerprint of a split by span covers all of its spans, so that a new version of an old one, or one that
    arrives late, is seen.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Called by TFX; raises DataError if there is no such span, or none to train on."""
        data = read_parameters(exec_properties).data
        base, pattern = split_path(data)
        # TFX makes a glob of both.
        exec_properties = {**exec_properties, **_input_of(glob.escape(base), pattern)}
        if not has_spans(pattern):
            return super().resolve_exec_properties(exec_properties, pipeline_info, component_info)
        spans = list_spans(base, pattern)
        chosen = choose_span(spans, data, _requested_span(exec_properties))
        training = training_spans(spans, chosen, data) if data.by_span else []
        resolved = super().resolve_exec_properties(exec_properties, pipeline_info, component_info)
        # The cache depends on the span that was found, not on how it was asked for.
        resolved[standard_component_specs.RANGE_CONFIG_KEY] = ""
        if training:
            _announce(chosen, training, data)
            resolved[TRAINING_SPANS_KEY] = json.dumps(
                [{"span": span.number, "version": span.version, "pattern": span.pattern} for span in training]
            )
            prints = [_fingerprint(base, span) for span in training]
            resolved[utils.FINGERPRINT_PROPERTY_NAME] = "\n".join([resolved[utils.FINGERPRINT_PROPERTY_NAME], *prints])
        return resolved


def _input_of(base: str, pattern: str) -> dict[str, str]:
    """What the component could only guess, since the data need not exist where a pipeline is compiled."""
    splits = [example_gen_pb2.Input.Split(name="all", pattern=pattern)]
    return {
        standard_component_specs.INPUT_BASE_KEY: base,
        standard_component_specs.INPUT_CONFIG_KEY: proto_utils.proto_to_json(example_gen_pb2.Input(splits=splits)),
    }


def _requested_span(exec_properties: dict[str, Any]) -> int | None:
    entry = exec_properties.get(standard_component_specs.RANGE_CONFIG_KEY)
    if not entry:
        return None
    config = range_config_pb2.RangeConfig()
    proto_utils.json_to_proto(entry, config)
    return config.static_range.start_span_number if config.HasField("static_range") else None


def _fingerprint(base: str, span: Span) -> str:
    return io_utils.generate_fingerprint(f"span-{span.number}", below_folder(base, span.pattern))


def _announce(evaluated: Span, training: list[Span], data: DataConfig) -> None:
    count, wanted = len(training), data.window
    few = f"{count} of {wanted} spans" if count < wanted else "span" if count == 1 else f"{count} spans"
    PROGRESS.info("training on %s: %s; evaluating on span %s", few, describe_spans(training), evaluated)
