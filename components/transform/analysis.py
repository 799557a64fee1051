"""TFT's analysis of one or several datasets, without reading those that are in the cache."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.beam.analyzer_cache import DatasetCache, DatasetKey
from tfx_bsl.public.tfxio import TensorAdapter, TensorAdapterConfig

from components.transform.cache import Cache, read_accumulators, write_accumulators
from janus_core.errors import DataError
from janus_core.examples.decode import parse_columns
from janus_core.examples.records import record_batches
from janus_core.examples.shards import read_shards
from janus_core.tables.column_kinds import Kind, kind_of_type

PreprocessingFn = Callable[..., Any]


@dataclass(frozen=True)
class Dataset:
    """A split of an artifact: what the cache keeps apart."""

    name: str
    files: tuple[str, ...]


def analyze(
    pipeline: beam.Pipeline,
    datasets: Sequence[Dataset],
    adapter: TensorAdapterConfig,
    preprocessing_fn: PreprocessingFn,
) -> Any:
    """TFT's transform function and metadata, from all rows of all datasets."""
    files = [file for dataset in datasets for file in dataset.files] if adapter.arrow_schema.names else []
    rows = pipeline | "Read" >> read_shards(files, partial(_read_shard, adapter=adapter))
    return (rows, adapter) | "Analyze" >> tft_beam.AnalyzeDataset(preprocessing_fn)


def analyze_with_cache(
    pipeline: beam.Pipeline,
    datasets: Sequence[Dataset],
    adapter: TensorAdapterConfig,
    preprocessing_fn: PreprocessingFn,
    cache: Cache,
) -> Any:
    """As `analyze`, from the cache where it can be; what had to be read is in the cache's staging folder afterwards.

    Sums are the same as without a cache up to rounding; TFT's quantile sketches, which are approximate, depend on which
    rows are merged first, and so may differ within their error.
    """
    if not adapter.arrow_schema.names:
        return analyze(pipeline, datasets, adapter, preprocessing_fn)
    cached = _cached(pipeline, datasets, cache)
    keys = [DatasetKey(dataset.name) for dataset in datasets]
    specs = TensorAdapter(adapter).OriginalTypeSpecs()
    needed = tft_beam.analysis_graph_builder.get_analysis_dataset_keys(
        preprocessing_fn, specs, keys, cached, force_tf_compat_v1=False
    )
    rows = {}
    for number, (key, dataset) in enumerate(zip(keys, datasets, strict=True)):
        reader = partial(_read_shard, adapter=adapter)
        rows[key] = pipeline | f"Read[{number}]" >> read_shards(dataset.files, reader) if key in needed else None
    transform_fn, found = (rows, cached, adapter) | "Analyze" >> tft_beam.AnalyzeDatasetWithCache(
        preprocessing_fn, pipeline=pipeline
    )
    _write({key.key: {**_values(cached, key), **_values(found, key)} for key in found or {}}, cache)
    return transform_fn


# --- the cache in Beam ------------------------------------------------------------------------------------------


def _cached(pipeline: beam.Pipeline, datasets: Sequence[Dataset], cache: Cache) -> dict[DatasetKey, DatasetCache]:
    """The datasets that are in the cache: TFT's keys → PCollections of accumulators."""
    found = {}
    for number, dataset in enumerate(datasets):
        entries = cache.entries(dataset.name)
        if entries is None:
            continue
        tags = [str(index) for index in range(len(entries))]
        values = (
            pipeline
            | f"Cached[{number}]" >> beam.Create([cache.path(dataset.name)])
            | f"ReadCached[{number}]" >> beam.FlatMap(_read_tagged).with_outputs(*tags)
        )
        by_entry = {entry: values[tag] for entry, tag in zip(entries, tags, strict=True)}
        found[DatasetKey(dataset.name)] = DatasetCache(by_entry, None)
    return found


def _values(cached: Mapping[DatasetKey, DatasetCache], key: DatasetKey) -> dict[bytes, beam.PCollection]:
    return dict(cached[key].items()) if key in cached else {}


def _write(found: Mapping[str, Mapping[bytes, beam.PCollection]], cache: Cache) -> None:
    tagged = [
        values | f"Tag[{number}][{index}]" >> beam.Map(_tag, name, index)
        for number, (name, entries) in enumerate(found.items())
        for index, values in enumerate(entries.values())
    ]
    if tagged:
        entries_of = {name: list(entries) for name, entries in found.items()}
        _ = (
            tagged
            | "AllTagged" >> beam.Flatten()
            | "ByDataset" >> beam.GroupByKey()
            | "WriteCache" >> beam.Map(_write_dataset, entries_of, cache)
        )


def _read_tagged(path: str) -> Iterator[beam.pvalue.TaggedOutput]:
    for index, value in read_accumulators(path):
        yield beam.pvalue.TaggedOutput(str(index), value)


def _tag(value: bytes, name: str, index: int) -> tuple[str, tuple[int, bytes]]:
    return name, (index, value)


def _write_dataset(
    found: tuple[str, Iterable[tuple[int, bytes]]], entries_of: Mapping[str, Sequence[bytes]], cache: Cache
) -> None:
    name, values = found
    write_accumulators(cache.unpublished(name), entries_of[name], values)


# --- rows -------------------------------------------------------------------------------------------------------


def _read_shard(path: str, adapter: TensorAdapterConfig) -> Iterator[pa.RecordBatch]:
    """The columns that the adapter knows, in its order."""
    schema = adapter.arrow_schema
    kinds: dict[str, Kind] = {field.name: kind for field in schema if (kind := kind_of_type(field.type)) is not None}
    for records in record_batches(path):
        try:
            columns = parse_columns(records, kinds)
        except DataError as error:
            raise DataError(f"{path}: {error}") from error
        yield pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)
