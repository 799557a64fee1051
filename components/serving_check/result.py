"""The result of the serving check, as the report reads it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from serving.check.findings import Latency

FILE = "check.json"


class CheckResult(BaseModel):
    """The result.

    Attributes:
        passed: whether there is no problem.
        seconds: how long the model's process ran.
        size_mb: of the model's files.
        peak_memory_mb: the most resident memory of the model's process, TensorFlow's libraries included.
        signatures: those that were called.
        rows: how many real rows each was called with.
        latency: signature → rows of a request → milliseconds.
        problems: a sentence for each.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    passed: bool
    seconds: float
    size_mb: float
    peak_memory_mb: float
    signatures: list[str]
    rows: int
    latency: dict[str, dict[str, Latency]]
    problems: list[str]


def write_check(uri: str, result: CheckResult) -> None:
    """Writes it into the folder of an InfraBlessing artifact."""
    (Path(uri) / FILE).write_text(result.model_dump_json(indent=1) + "\n", encoding="utf-8")


def read_check(uri: str) -> CheckResult:
    """Reads the result from an InfraBlessing artifact.

    Raises:
        FileNotFoundError: the blessing is not one of ServingCheck, but of TFX's InfraValidator.
    """
    return CheckResult.model_validate_json((Path(uri) / FILE).read_text(encoding="utf-8"))
