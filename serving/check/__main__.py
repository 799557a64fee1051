"""Tests a model: `python -m serving.check MODEL ROWS FOLDER`.

MODEL is a SavedModel's folder, ROWS a TFRecord file of serialized tf.Examples. The findings, and the
signatures' answers to the rows, are written to FOLDER. The process ends when its standard input is closed, as when its
parent process ends.
"""

import sys
from pathlib import Path

from janus_core.child_process import run_with_parent
from serving.check.answers import write_answers
from serving.check.findings import ANSWERS, write_findings
from serving.check.trial import try_model


def main(model: Path, rows: Path, folder: Path) -> None:
    """Tests a model; its problems are part of the findings."""
    import tensorflow as tf

    records = list(tf.data.TFRecordDataset(str(rows)).as_numpy_iterator())
    findings, answers = try_model(model, records, lambda findings: write_findings(folder, findings))
    write_answers(folder / ANSWERS, answers)
    write_findings(folder, findings)


if __name__ == "__main__":
    # TensorFlow imports Keras if it is there, which takes a third of the process's time; no exported model needs it.
    sys.modules["keras"] = None  # type: ignore[assignment]
    run_with_parent(lambda: main(*map(Path, sys.argv[1:4])))
