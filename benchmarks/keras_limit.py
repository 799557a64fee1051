"""The Trainer against its limit: `python -m benchmarks.keras_limit CONFIG FOLDER` of an already measured run.

The limit is the same network trained by Keras's own `fit` on tensors in memory, with one loss per output and no masks.
Prints one line of JSON: examples per second of both, and their ratio.
"""

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from pipeline import environment

EPOCHS = 4


def main() -> None:
    """Measures both in turn, after a first epoch that is not counted."""
    environment.prepare()
    config_path, folder = sys.argv[1], Path(sys.argv[2])
    with environment.library_output_to(folder / "limit.log") as terminal:
        print(json.dumps(measure(config_path, folder)), file=terminal.out)


def measure(config_path: str, folder: Path) -> dict[str, float]:
    """Examples per second of the Trainer's loop and of the bare one."""
    import tensorflow_transform as tft

    from pipeline.config.file import load_config
    from trainer.run import make_heads, make_model, read_examples

    config = load_config(config_path).trainer_config()
    transform = tft.TFTransformOutput(str(_newest(folder / "root" / "Transform" / "transform_graph")))
    examples = _newest(folder / "root" / "Transform" / "transformed_examples")
    data = read_examples([str(examples / "Split-train" / "*")], transform, config)
    heads = make_heads(data, config)
    ours = make_model(config, transform, heads)
    bare = _bare(make_model(config, transform, heads).network, config)
    columns = _in_memory(data.train)
    ours_times, bare_times = [], []
    for epoch in range(EPOCHS + 1):
        data.epoch.assign(epoch)
        started = time.monotonic()
        ours.fit(data.train, verbose=0, shuffle=False)
        middle = time.monotonic()
        bare.fit(*columns, batch_size=config.training.batch_size, verbose=0)
        if epoch:
            ours_times.append(middle - started)
            bare_times.append(time.monotonic() - middle)
    ours_rate, bare_rate = (data.rows / statistics.median(times) for times in (ours_times, bare_times))
    return {"trainer_per_second": ours_rate, "keras_per_second": bare_rate, "ratio": ours_rate / bare_rate}


def _bare(network: Any, config: Any) -> Any:
    import keras

    losses = {
        name: "mean_absolute_error"
        if task.kind == "regression"
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        for name, task in config.tasks.items()
    }
    weights = {name: task.loss_weight for name, task in config.tasks.items()}
    network.compile(
        optimizer=keras.optimizers.Adam(config.training.learning_rate),
        loss=losses,
        loss_weights=weights,
        steps_per_execution=config.training.steps_per_execution,
    )
    return network


def _in_memory(batches: Any) -> tuple[dict, dict]:
    import tensorflow as tf

    parts = list(batches)
    features = {name: tf.concat([part[0][name] for part in parts], 0) for name in parts[0][0]}
    labels = {name: tf.concat([part[1][name] for part in parts], 0) for name in parts[0][1]}
    return features, labels


def _newest(folder: Path) -> Path:
    return max(folder.iterdir(), key=lambda path: int(path.name))


if __name__ == "__main__":
    main()
