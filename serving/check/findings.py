"""What the check's process reports to the process that started it."""

from pathlib import Path

from pydantic import BaseModel

from janus_core.files import write_text

FILE = "findings.json"
ANSWERS = "answers.npz"


class Latency(BaseModel):
    """The latency of requests of one size, in milliseconds."""

    p50_ms: float
    p99_ms: float


class Findings(BaseModel):
    """The findings so far; written again at every stage, so that they survive a crash of the process."""

    stage: str = "starting"
    signatures: list[str] = []
    latency: dict[str, dict[str, Latency]] = {}
    problems: list[str] = []


def write_findings(folder: Path, findings: Findings) -> None:
    """Writes the findings into a folder, whole or not at all."""
    write_text(folder / FILE, findings.model_dump_json(indent=1))


def read_findings(folder: Path) -> Findings:
    """Reads the findings; a process that wrote none was still starting."""
    path = folder / FILE
    return Findings.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else Findings()
