"""Prepares the transformed examples that all trainings of a comparison use."""

from dataclasses import dataclass
from pathlib import Path

from pipeline.config import JanusConfig
from pipeline.home import Home
from pipeline.run.display import Display
from pipeline.run.interruption import Interruption
from pipeline.run.part import run_part
from pipeline.run.record import RunRecord


@dataclass(frozen=True)
class Prepared:
    """Transform's outputs, the newest span's examples first, and the rows of each split."""

    transform_graph: Path
    examples: list[Path]
    rows: dict[str, int]


def prepare(
    config: JanusConfig, home: Home, display: Display, record: RunRecord, interruption: Interruption
) -> Prepared:
    """Runs the pipeline up to Transform; what `janus run` has made is reused.

    Raises:
        DataError: the data or the schema are rejected.
        JanusError: the metadata database cannot be used, or a run of the pipeline is under way.
    """
    executions = run_part("compare", config, home, display, record, interruption)
    from components.anomaly_gate.column import read_split

    graph = executions["Transform"].output("transform_graph")
    examples = executions["Transform"].outputs.get("transformed_examples", [])
    statistics = executions["StatisticsGen"].output("statistics")
    if graph is None or statistics is None or not examples:
        raise RuntimeError("the pipeline gave no transformed examples, no transform graph or no statistics")
    rows = {split: read_split(statistics.uri, split)[0] for split in ("train", "eval")}
    return Prepared(Path(graph.uri), [Path(artifact.uri) for artifact in examples], rows)
