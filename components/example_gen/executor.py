"""The executor: plans the work, has Beam do it, and publishes the shards when all of it succeeded."""

import json
import os
import uuid
from collections.abc import Mapping
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from tfx import types
from tfx.components.example_gen import write_split
from tfx.components.example_gen.utils import SPAN_PROPERTY_NAME
from tfx.components.util import examples_utils
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor
from tfx.dsl.io import fileio
from tfx.proto import example_gen_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import proto_utils

from components.artifacts import Artifacts
from components.example_gen.bad_rows import describe, merge_bad_rows
from components.example_gen.driver import TRAINING_SPANS_KEY
from components.example_gen.parameters import (
    COLUMNS_PROPERTY,
    SETTINGS_PROPERTY,
    TRAINING_SPANS_PROPERTY,
    Parameters,
    read_parameters,
    settings_digest,
)
from components.example_gen.precision import merge_roundings, precision_problems
from components.example_gen.work import SPLITS, Job, Result, infer_kinds, result_path, shard_path, write_shards
from janus_core.errors import DataError
from janus_core.examples.threads import Threaded, worker_threads
from janus_core.tables import parquet_reader
from janus_core.tables.column_kinds import Kind, Kinds, merge_kinds
from janus_core.tables.config import DataConfig, HashSplit
from janus_core.tables.files import select_files
from janus_core.tables.inspect import Source, check_columns, inspect_files, missing_columns, split_columns
from janus_core.tables.pieces import SpanFiles, WorkItem, plan_spans, plan_work

NUM_EXAMPLES_PROPERTY = "num_examples"
"""Custom property of the Examples artifact: JSON of rows per split."""

_MAX_SHOWN = 20


class ArrowExampleGenExecutor(BaseBeamExecutor):
    """Reads files by Arrow and writes tf.Examples, split into train and eval."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Fills the one Examples artifact of `output_dict`.

        Raises DataError for whatever is wrong with the data; nothing is published then.
        """
        self._log_startup(input_dict, output_dict, exec_properties)
        parameters = read_parameters(exec_properties)
        data = parameters.data
        spans = _spans(exec_properties, data) if data.by_span else []
        files = [path for span in spans for path in span.files] or select_files(_matches(exec_properties), data)
        source = inspect_files(files, data)
        required = {**split_columns(data), **parameters.required_columns}
        check_columns(source, data, required)
        artifact = artifact_utils.get_single_instance(output_dict[standard_component_specs.EXAMPLES_KEY])
        artifact.split_names = artifact_utils.encode_split_names(list(SPLITS))
        staging = FileSystems.join(artifact.uri, f".staging-{uuid.uuid4().hex}")
        FileSystems.mkdirs(staging)
        try:
            job = _job(parameters, source, staging)
            items = plan_spans(spans, data) if data.by_span else plan_work(files, data)
            results = self._run(items, job)
            _raise_problems(results, job, source, required)
            _publish(results, staging, artifact)
        finally:
            fileio.rmtree(staging)
        counts = {split: sum(result.rows[split] for result in results) for split in SPLITS}
        artifact.set_string_custom_property(NUM_EXAMPLES_PROPERTY, json.dumps(counts, sort_keys=True))
        if data.by_span:
            artifact.set_string_custom_property(TRAINING_SPANS_PROPERTY, json.dumps(_training_rows(items, results)))
        digest = settings_digest(parameters.model_dump(mode="json"))
        artifact.set_string_custom_property(SETTINGS_PROPERTY, digest)
        if parameters.columns is not None:
            artifact.set_string_custom_property(COLUMNS_PROPERTY, json.dumps(parameters.columns))
        examples_utils.set_payload_format(artifact, example_gen_pb2.FORMAT_TF_EXAMPLE)
        examples_utils.set_file_format(artifact, write_split.to_file_format_str(example_gen_pb2.FORMAT_TFRECORDS_GZIP))

    def _run(self, items: list[WorkItem], job: Job) -> list[Result]:
        threads = worker_threads(self._beam_pipeline_args or [])
        unknown = [name for name in job.columns if name not in job.kinds]
        with self._make_beam_pipeline() as pipeline:
            work = pipeline | "WorkItems" >> beam.Create(items) | "Spread" >> beam.Reshuffle()
            side = []
            if job.data.format != "tfrecord" and unknown:
                found = work | "InferKinds" >> beam.ParDo(Threaded(infer_kinds, threads), job)
                side = [beam.pvalue.AsSingleton(found | "MergeKinds" >> beam.CombineGlobally(merge_kinds))]
            _ = work | "WriteShards" >> beam.ParDo(Threaded(write_shards, threads), job, *side)
        return [_read_result(job.staging, item.index) for item in items]


def _matches(exec_properties: dict[str, Any]) -> list[str]:
    config = example_gen_pb2.Input()
    proto_utils.json_to_proto(exec_properties[standard_component_specs.INPUT_CONFIG_KEY], config)
    return _glob(exec_properties, config.splits[0].pattern)


def _glob(exec_properties: dict[str, Any], pattern: str) -> list[str]:
    base = exec_properties[standard_component_specs.INPUT_BASE_KEY]
    return fileio.glob(os.path.join(base, pattern))  # noqa: PTH118 (an address, not always a path)


def _spans(exec_properties: dict[str, Any], data: DataConfig) -> list[SpanFiles]:
    """What the driver chose: the span to evaluate, then those to train on."""
    number = exec_properties[SPAN_PROPERTY_NAME]
    spans = [SpanFiles(number, "eval", select_files(_matches(exec_properties), data))]
    for span in json.loads(exec_properties[TRAINING_SPANS_KEY]):
        spans.append(SpanFiles(span["span"], "train", select_files(_glob(exec_properties, span["pattern"]), data)))
    return spans


def _training_rows(items: list[WorkItem], results: list[Result]) -> list[dict[str, int]]:
    """Each span that is trained on, newest first, with its rows."""
    rows: dict[int, int] = {}
    for item, result in zip(items, results, strict=True):
        if item.split == "train" and item.span is not None:
            rows[item.span] = rows.get(item.span, 0) + result.rows["train"]
    return [{"span": span, "train": count} for span, count in rows.items()]


def _job(parameters: Parameters, source: Source, staging: str) -> Job:
    data = parameters.data
    if parameters.columns is None and source.unusable:
        raise DataError("; ".join(source.unusable.values()), list(source.unusable.values()))
    wanted = set(source.columns if parameters.columns is None else parameters.columns)
    # Rows that differ in a column that is not ingested are different rows all the same: a feature that is added later
    # must not move rows from one split to the other.
    whole_rows = isinstance(data.split, HashSplit) and not data.split.key
    columns = [name for name in source.columns if whole_rows or name in wanted]
    # A schema may be wrong about a column that is not used.
    kinds: Kinds = {name: kind for name, kind in parameters.column_types.items() if name in wanted}
    if data.format == "parquet":
        undecided = parquet_reader.undecided_columns(source.files)
        kinds |= {name: source.columns[name] for name in columns if name not in {*kinds, *undecided}}
    types = source.columns if data.format == "parquet" else {}
    return Job(parameters, columns, kinds, types, staging)


def _read_result(staging: str, index: int) -> Result:
    with FileSystems.open(result_path(staging, index)) as stream:
        return Result.from_json(stream.read().decode())


def _raise_problems(results: list[Result], job: Job, source: Source, required: Mapping[str, str]) -> None:
    bad_rows = merge_bad_rows(bad for result in results for bad in result.bad_rows)
    problems = list(dict.fromkeys(problem for result in results for problem in result.problems))
    problems += [describe(bad, job.parameters.domains, job.parameters.dates) for bad in bad_rows]
    problems += _column_problems(results, job, source, required)
    problems += precision_problems(
        merge_roundings(result.roundings for result in results), job.parameters.uses, job.parameters.sensitive
    )
    empty = [split for split in SPLITS if not any(result.rows[split] for result in results)]
    if not problems and empty:
        problems = [_empty_split(split, job, source) for split in empty]
    if problems:
        more = f"; and {len(problems) - _MAX_SHOWN} more" if len(problems) > _MAX_SHOWN else ""
        raise DataError("; ".join(problems[:_MAX_SHOWN]) + more, problems)


def _column_problems(results: list[Result], job: Job, source: Source, required: Mapping[str, str]) -> list[str]:
    """What only all rows together show: columns without any value, and kinds that differ between TFRecords."""
    found: dict[str, set[Kind]] = {}
    for result in results:
        for name, kind in result.seen.items():
            found.setdefault(name, set()).add(kind)
    if not source.complete:
        for name, declared in job.kinds.items():
            if declared is not None and name in found:
                found[name].add(declared)
    mixed = [
        f"column '{name}' is {' in some records, '.join(sorted(kinds))} in others or in the schema"
        for name, kinds in found.items()
        if len(kinds) > 1
    ]
    if any(result.problems for result in results):
        # Rows after a problem were not read: what they hold is not known.
        return mixed
    if not source.complete:
        return mixed + missing_columns(list(found), required)
    rows = sum(sum(result.rows.values()) for result in results)
    return mixed + [
        f"{key}: column '{column}' has no value in any of the {rows:,} rows"
        for column, key in required.items()
        if column not in found
    ]


def _empty_split(split: str, job: Job, source: Source) -> str:
    rule = job.data.split
    if rule.by == "span":
        how = "the newest span, train the others"
    else:
        how = f"{rule.column} from {rule.shown} on" if rule.by == "time" else f"{rule.eval_fraction:.0%} by hash"
    return f"data.split: no row of {source.files[0]} falls into the {split} split (eval is {how})"


def _publish(results: list[Result], staging: str, artifact: types.Artifact) -> None:
    """Gives the shards their final names, each in one step; a shard without rows does not exist."""
    for split in SPLITS:
        folder = artifact_utils.get_split_uri([artifact], split)
        fileio.makedirs(folder)
        filled = [result.index for result in results if result.rows[split]]
        names = [f"data_tfrecord-{number:05d}-of-{len(filled):05d}.gz" for number in range(len(filled))]
        FileSystems.rename(
            [shard_path(staging, index, split) for index in filled], [FileSystems.join(folder, name) for name in names]
        )
