"""Compares statistics, anomalies and configuration, judges the data gates, and stops the run where one demands it."""

import logging
from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator import executor as validator
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils

from components.anomaly_gate.checks import Expectations, Finding, check_anomalies, check_split
from components.anomaly_gate.column import read_split
from components.anomaly_gate.data_gates import (
    EVAL,
    TRAIN,
    DataGateResult,
    GatedData,
    SplitData,
    judge_data,
    write_results,
)
from components.anomaly_gate.driver import BLESSED_STATISTICS
from components.artifacts import Artifacts, read_schema
from components.statistics_gen.rows import LabelCounts, read_rows
from janus_core.errors import DataError


class Executor(base_executor.BaseExecutor):
    """Raises `DataError` with all that is wrong, or does nothing."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX.

        Raises:
            DataError: the data contradicts the schema or the configuration, or breaks a data gate of level `error`.
        """
        expectations = Expectations.model_validate_json(exec_properties["expectations"])
        statistics = artifact_utils.get_single_instance(input_dict["statistics"])
        anomalies = artifact_utils.get_single_instance(input_dict["anomalies"])
        schema = read_schema(input_dict)
        findings: list[Finding] = []
        splits: dict[str, SplitData] = {}
        for split in artifact_utils.decode_split_names(statistics.split_names):
            row_count, columns = read_split(statistics.uri, split)
            splits[split] = SplitData(row_count, columns, read_rows(statistics.uri, split))
            found = check_split(split, row_count, columns, expectations)
            if row_count:
                named = {finding.column for finding in found}
                found += [
                    finding
                    for finding in check_anomalies(
                        split, _read(anomalies, split), schema, columns, row_count, expectations.curated
                    )
                    if finding.column not in named
                ]
            findings += [f.without_values() if f.column in expectations.sensitive else f for f in found]
        reject(findings)
        blessed = blessed_labels(exec_properties.get(BLESSED_STATISTICS) or "")
        gated = GatedData.model_validate_json(exec_properties["gated"])
        results = judge_data(splits[TRAIN], splits[EVAL], blessed, gated)
        reject_broken(results)
        result = artifact_utils.get_single_instance(output_dict["result"])
        result.split_names = statistics.split_names
        write_results(result.uri, results)


def reject_broken(results: list[DataGateResult]) -> None:
    """Raises a `DataError` that lists the broken data gates, warnings after them, if one of them is an error."""
    broken = [result for result in results if not result.passed]
    errors = [result.text for result in broken if result.level == "error"]
    if errors:
        warnings = [f"warning: {result.text}" for result in broken if result.level != "error"]
        lines = "\n".join(f"  {line}" for line in [*errors, *warnings])
        raise DataError(f"the data do not pass their gates:\n{lines}\nNothing was trained.", errors)


def blessed_labels(statistics_uri: str) -> dict[str, LabelCounts] | None:
    """Label column → the labels of both splits of the last blessed run."""
    if not statistics_uri:
        return None
    labels: dict[str, LabelCounts] = {}
    try:
        for split in (TRAIN, EVAL):
            rows = read_rows(statistics_uri, split)
            for column, counts in rows.labels.items() if rows else ():
                labels[column] = labels.get(column, LabelCounts()) + counts
    # An earlier run's file: whatever is wrong with it, these data can be judged.
    except Exception:
        logging.getLogger(__name__).exception("%s cannot be read", statistics_uri)
        return None
    return labels


def reject(findings: list[Finding]) -> None:
    """Raises a `DataError` that lists the findings, if there are any."""
    if findings:
        problems = [str(finding) for finding in findings]
        raise DataError(
            "the data is not as expected:\n"
            + "\n".join(f"  {problem}" for problem in problems)
            + "\nCorrect the data; or, where the data is right, the schema (`janus schema CONFIG` shows what differs) "
            "or the configuration.",
            problems,
        )


def _read(artifact: Artifact, split: str) -> anomalies_pb2.Anomalies:
    folder = Path(artifact_utils.get_split_uri([artifact], split))
    anomalies = anomalies_pb2.Anomalies()
    anomalies.ParseFromString((folder / validator.DEFAULT_FILE_NAME).read_bytes())
    return anomalies
