"""Ingests a table as a run does: its first look before TFX, the driver, and the executor without Beam."""

import shutil
from pathlib import Path
from typing import Any

from components.example_gen.component import ArrowExampleGen
from components.example_gen.executor import ArrowExampleGenExecutor
from components.example_gen.work import Job, Result, infer_kinds, result_path, write_shards
from janus_core.errors import JanusError
from janus_core.tables.column_kinds import merge_kinds
from janus_core.tables.config import DataConfig
from janus_core.tables.inspect import check_columns, inspect_source
from janus_core.tables.pieces import WorkItem
from tests.components.example_gen.helpers import run_component


class _WithoutBeam(ArrowExampleGenExecutor):
    def _run(self, items: list[WorkItem], job: Job) -> list[Result]:
        kinds = merge_kinds([infer_kinds(item, job) for item in items]) if job.data.format != "tfrecord" else {}
        for item in items:
            write_shards(item, job, kinds)
        return [Result.from_json(Path(result_path(job.staging, item.index)).read_text("utf-8")) for item in items]


class _ExampleGen(ArrowExampleGen):
    EXECUTOR_SPEC = type(ArrowExampleGen.EXECUTOR_SPEC)(_WithoutBeam)


def ingest(given: dict[str, Any], folder: Path) -> str:
    """`rows`, or the name of the error and its exit code; whatever else is raised must not be."""
    data = DataConfig.model_validate({"split": {"by": "hash", "eval_fraction": 0.4}, **given})
    columns = {"a": "features.a", "b": "features.b", "label": "tasks.label"}
    out = folder / "out"
    shutil.rmtree(out, ignore_errors=True)
    try:
        check_columns(inspect_source(data), data, columns)
        run_component(
            _ExampleGen(
                data=data,
                required_columns=columns,
                columns=columns,
                domains={"label": ["yes", "no"]},
                seed=1,
                offsets={},
            ),
            out,
        )
    except JanusError as error:
        if error.exit_code not in (2, 3) or not str(error).strip():
            raise
        return type(error).__name__
    return "rows"
