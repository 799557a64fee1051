"""One measured run in a process of its own: `python -m benchmarks.measure KIND CONFIG FOLDER [KEY=VALUE …]`.

Prints one line of JSON: seconds per component and whole, peak resident memory in MB.
"""

import json
import logging
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import environment

if TYPE_CHECKING:
    from tfx.orchestration.pipeline import Pipeline

    from pipeline.config import JanusConfig


def main() -> None:
    """Runs the pipeline KIND, `janus` or `stock`, or only its ExampleGen: `janus-ingest`, `stock-ingest`."""
    kind, config_path, folder_name, *overrides = sys.argv[1:]
    environment.prepare()
    sys.argv = sys.argv[:1]
    folder = Path(folder_name)
    folder.mkdir(parents=True, exist_ok=True)
    with environment.library_output_to(folder / "run.log") as terminal:
        print(json.dumps(measure(kind, config_path, folder, overrides)), file=terminal.out)


def measure(kind: str, config_path: str, folder: Path, overrides: list[str]) -> dict:
    """Seconds of each component by its id, of the whole, and the peak memory in MB."""
    from janus_core.progress import PROGRESS
    from pipeline.config.file import load_config
    from pipeline.run.record import RunRecord

    started = time.monotonic()
    config = load_config(config_path, [*overrides, f"push.path={folder / 'serving'}"])
    pipeline = _pipeline(kind, config, folder)
    imported = time.monotonic() - started
    from pipeline.run.runner import run_on_beam

    record = RunRecord()
    PROGRESS.addHandler(record)
    logging.getLogger().setLevel(logging.WARNING)
    run_on_beam(pipeline, "measured")
    return {
        "kind": kind,
        "components": {name: event.seconds for name, event in record.components.items()},
        "imports": imported,
        "whole": time.monotonic() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _pipeline(kind: str, config: "JanusConfig", folder: Path) -> "Pipeline":
    from benchmarks.stock_pipeline import HASH_BUCKETS, create_stock_pipeline, stock_example_gen
    from pipeline.dag import Places, create_pipeline, example_gen_of

    places = Places(str(folder / "root"), str(folder / "metadata.db"), folder / "schemas", None)
    if kind == "janus":
        return create_pipeline(config, places)
    if kind == "stock":
        return create_stock_pipeline(config, folder)
    from tfx.orchestration.metadata import sqlite_metadata_connection_config
    from tfx.orchestration.pipeline import Pipeline

    ingestion = example_gen_of(config) if kind == "janus-ingest" else stock_example_gen(config, HASH_BUCKETS)
    return Pipeline(
        pipeline_name=f"{config.name}_ingestion",
        pipeline_root=places.root,
        components=[ingestion],
        metadata_connection_config=sqlite_metadata_connection_config(str(folder / "metadata.db")),
    )


if __name__ == "__main__":
    main()
