"""Compares statistics, anomalies and configuration, and stops the run if they disagree."""

from pathlib import Path
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx.components.example_validator import executor as validator
from tfx.dsl.components.base import base_executor
from tfx.types import Artifact, artifact_utils

from components.anomaly_gate.checks import Expectations, Finding, check_anomalies, check_split
from components.anomaly_gate.column import read_split
from components.artifacts import Artifacts, read_schema
from janus_core.errors import DataError


class Executor(base_executor.BaseExecutor):
    """Raises `DataError` with all that is wrong, or does nothing."""

    def Do(self, input_dict: Artifacts, output_dict: Artifacts, exec_properties: dict[str, Any]) -> None:
        """Called by TFX.

        Raises:
            DataError: the data contradicts the schema or the configuration.
        """
        del output_dict
        expectations = Expectations.model_validate_json(exec_properties["expectations"])
        statistics = artifact_utils.get_single_instance(input_dict["statistics"])
        anomalies = artifact_utils.get_single_instance(input_dict["anomalies"])
        schema = read_schema(input_dict)
        findings: list[Finding] = []
        for split in artifact_utils.decode_split_names(statistics.split_names):
            row_count, columns = read_split(statistics.uri, split)
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
