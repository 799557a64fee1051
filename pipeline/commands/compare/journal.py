"""The journal of finished trainings, one JSON line each, so that none is repeated."""

import logging
import os
from pathlib import Path

from pydantic import ValidationError

from pipeline.commands.compare.comparison import Training


class Journal:
    """A file to which trainings are added as they end; a line that a killed process left incomplete is skipped."""

    def __init__(self, path: Path):
        self._path = path
        self._known: dict[str, Training] = {}
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
        for number, line in enumerate(lines, start=1):
            try:
                training = Training.model_validate_json(line)
            except ValidationError:
                logging.getLogger(__name__).warning("%s, line %d is not a training and is skipped", path, number)
                continue
            self._known[training.key] = training

    def find(self, key: str) -> Training | None:
        """The training with this key, if it was done."""
        return self._known.get(key)

    def add(self, training: Training) -> None:
        """Writes a training; it is on the disk when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a+b") as file:
            file.seek(0, os.SEEK_END)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":
                    file.write(b"\n")
            file.write(training.model_dump_json().encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._known[training.key] = training
