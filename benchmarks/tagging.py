"""A linear-chain CRF on the tagging example, beside the network of its newest run: `python -m benchmarks.tagging`.

Run `janus run configs/tagging.yaml` first. The CRF (Lafferty, McCallum and Pereira 2001) is sklearn-crfsuite's.
It sees each token, whether it is capitalised, and two neighbours on each side; it is fitted to the run's train split
and measured on its eval split by the same metrics.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn_crfsuite
import tensorflow as tf

from components.metrics.rows import make_rows, one_group
from components.metrics.tags import EntityF1, TagF1, TokenAccuracy, is_bio
from pipeline.config import JanusConfig
from pipeline.config.file import load_config
from trainer.config import SequenceTagsTask

METRICS = {"token_accuracy": TokenAccuracy, "f1": TagF1, "entity_f1": EntityF1}


def sentences(examples: Path, split: str, columns: list[str]) -> Iterator[dict[str, list[str]]]:
    """Each row's lists."""
    for file in sorted(examples.glob(f"Split-{split}/*")):
        for record in tf.data.TFRecordDataset(str(file), compression_type="GZIP").as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            yield {name: [value.decode() for value in features[name].bytes_list.value] for name in columns}


def described(tokens: list[str]) -> list[dict[str, str | bool]]:
    """What the CRF sees of each token."""
    padded = ["<s>", "<s>", *tokens, "</s>", "</s>"]
    return [
        {f"{offset:+d}": padded[place + 2 + offset] for offset in range(-2, 3)}
        | {"capital": token[:1].isupper(), "pair": " ".join(padded[place + 1 : place + 3])}
        for place, token in enumerate(tokens)
    ]


def measured(task: SequenceTagsTask, wanted: list[list[str]], given: list[list[str]]) -> dict[str, float]:
    """The metrics of tags."""
    length, tags = max(map(len, wanted)), list(task.classes)
    labels = np.array([[tags.index(tag) for tag in row] + [-1] * (length - len(row)) for row in wanted])
    found = np.array([[tags.index(tag) for tag in row] + [0] * (length - len(row)) for row in given])
    rows = make_rows(labels, np.eye(len(tags))[found], np.ones(len(labels)))
    return {
        name: metric(tags=tags).value_of(metric(tags=tags).statistic().of_groups(rows, one_group(len(labels)))[0])
        for name, metric in METRICS.items()
        if name != "entity_f1" or is_bio(tags)
    }


class Compared(NamedTuple):
    """A metric of both models on the eval split."""

    task: str
    metric: str
    network: float
    crf: float


def beside_crf(config: JanusConfig) -> Iterator[Compared]:
    """Fits a CRF to each task's tags in the newest run's examples."""
    home = Path("runs") / config.name
    report = json.loads((home / "latest" / "report.json").read_text(encoding="utf-8"))
    examples = max((home / "root/ExampleGen/examples").iterdir(), key=lambda folder: int(folder.name))
    for name, task in config.tasks.items():
        if not isinstance(task, SequenceTagsTask):
            continue
        column = config.features[task.sequence].column or task.sequence
        rows = {split: list(sentences(examples, split, [column, task.label])) for split in ("train", "eval")}
        crf = sklearn_crfsuite.CRF(algorithm="lbfgs", c1=0.1, c2=0.1, max_iterations=100)
        crf.fit([described(row[column]) for row in rows["train"]], [row[task.label] for row in rows["train"]])
        given = crf.predict([described(row[column]) for row in rows["eval"]])
        of_crf = measured(task, [row[task.label] for row in rows["eval"]], [list(row) for row in given])
        for metric, value in of_crf.items():
            yield Compared(name, metric, report["tasks"][name]["metrics"][metric], value)


def main() -> None:
    """Parses the command line, and prints both models' metrics."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("configs/tagging.yaml"), help="default: %(default)s")
    for task, metric, network, crf in beside_crf(load_config(parser.parse_args().config)):
        print(f"{task} {metric}: network {network:.4f}, CRF {crf:.4f}, difference {network - crf:+.4f}")


if __name__ == "__main__":
    main()
