"""Tries a model: `python -m serving.check MODEL ROWS FOLDER`.

MODEL is a SavedModel's folder, ROWS a TFRecord file of serialized tf.Examples. FOLDER receives the findings, and what
the signatures answered to the rows. Ends by itself when its standard input does, with the process that started it.
"""

import os
import sys
import threading
from pathlib import Path

from serving.check.answers import write_answers
from serving.check.findings import ANSWERS, write_findings
from serving.check.trial import try_model


def main(model: Path, rows: Path, folder: Path) -> None:
    """Tries a model; whatever is wrong with it stands in the findings."""
    import tensorflow as tf

    records = list(tf.data.TFRecordDataset(str(rows)).as_numpy_iterator())
    findings, answers = try_model(model, records, lambda found: write_findings(folder, found))
    write_answers(folder / ANSWERS, answers)
    write_findings(folder, findings)


def _end_with_parent() -> None:
    # Not sys.stdin, whose lock this thread would still hold when the interpreter ends, which then aborts.
    while os.read(0, 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(*map(Path, sys.argv[1:4]))
    # The thread above holds the lock of standard input, which an orderly end would wait for, and abort.
    os._exit(0)
