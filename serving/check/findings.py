"""What the check's process tells the one that started it."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from janus_core.files import write_text

FILE = "findings.json"
ANSWERS = "answers.npz"


class Latency(BaseModel):
    """How long requests of one size took, in milliseconds."""

    model_config = ConfigDict(extra="forbid")

    p50_ms: float
    p99_ms: float


class Findings(BaseModel):
    """What is known so far; written again at every stage, so that it outlives the process."""

    model_config = ConfigDict(extra="forbid")

    stage: str = "starting"
    signatures: list[str] = []
    latency: dict[str, dict[str, Latency]] = {}
    problems: list[str] = []


def write_findings(folder: Path, findings: Findings) -> None:
    """Writes them into a folder; a reader sees them whole."""
    write_text(folder / FILE, findings.model_dump_json(indent=1))


def read_findings(folder: Path) -> Findings:
    """Reads them; a process that wrote none was still starting."""
    path = folder / FILE
    return Findings.model_validate_json(path.read_text(encoding="utf-8")) if path.exists() else Findings()
