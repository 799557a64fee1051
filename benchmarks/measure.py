"""One measured run in a process of its own: `python -m benchmarks.measure KIND CONFIG FOLDER [KEY=VALUE …]`.

Prints one line of JSON: seconds per component and whole, peak resident memory in MB.
"""

import json
import logging
import resource
import sys
import time
from pathlib import Path

from pipeline import environment


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
    from pipeline.config_file import load_config
    from pipeline.progress import LOGGER, Recorder, RunRecord

    started = time.monotonic()
    config = load_config(config_path, [*overrides, f"push.path={folder / 'serving'}"])
    pipeline = _pipeline(kind, config, folder)
    imported = time.monotonic() - started
    from pipeline.runner import run_on_beam

    record = RunRecord()
    LOGGER.addHandler(Recorder(record))
    logging.getLogger().setLevel(logging.WARNING)
    run_on_beam(pipeline, "measured")
    return {
        "kind": kind,
        "components": {name: event.seconds for name, event in record.components.items()},
        "imports": imported,
        "whole": time.monotonic() - started,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def _pipeline(kind: str, config: object, folder: Path) -> object:
    from benchmarks.stock_pipeline import create_stock_pipeline
    from pipeline.dag import Places, create_pipeline

    whole = (
        create_pipeline(config, Places(str(folder / "root"), str(folder / "metadata.db"), folder / "schemas", None))  # type: ignore[arg-type]
        if kind.startswith("janus")
        else create_stock_pipeline(config, folder)  # type: ignore[arg-type]
    )
    if kind.endswith("-ingest"):
        whole.components = [node for node in whole.components if node.id == "ExampleGen"]
    return whole


if __name__ == "__main__":
    main()
