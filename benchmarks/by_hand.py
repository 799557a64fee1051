"""The flights' networks as one would write them in a notebook: `python -m benchmarks.by_hand FOLDER [--members 4]`.

pandas, one Keras model with the inputs, layers, epochs and metrics of configs/flights.yaml, evaluation with
scikit-learn by slice, and export. No schema, no checks, no baselines, no report, no cache, and nothing that makes
serving compute features as training did. Prints the metrics and the seconds of each part as a line of JSON.
"""

import argparse
import json
import os
import time
from pathlib import Path

STARTED = time.monotonic()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
from keras import layers  # noqa: E402
from sklearn import metrics  # noqa: E402

IMPORTED = time.monotonic()
CYCLICAL = {"sched_dep_min": 1440, "sched_arr_min": 1440, "wind_dir": 360}
EMBEDDED = {"day_of_week": 4, "carrier": 8, "origin": 3, "dest": 16}
ZERO = ["wind_gust", "precip", "board_waiting", "board_delay", "carrier_waiting", "carrier_delay"]
"""Numbers that are 0 where they are missing; the others are at their mean."""
NUMERIC = ["sched_dep_min", "sched_minutes", "distance", "origin_departures", "plane_age", "seats", "temp", "dewp"]
NUMERIC += ["humid", "wind_speed", "pressure", "visib", *ZERO]
CLASSES = ("on_time", "delayed", "cancelled")


def features_of(table: pd.DataFrame, train: pd.DataFrame) -> dict[str, np.ndarray]:
    """The network's inputs, with means, deviations and vocabularies of the training rows."""
    missing = train[NUMERIC].mean()
    missing[ZERO] = 0.0

    def filled(part: pd.DataFrame) -> pd.DataFrame:
        numbers = part[NUMERIC].fillna(missing)
        return numbers.assign(precip=np.log1p(numbers["precip"]))

    known = filled(train)
    dense = [((filled(table) - known.mean()) / known.std()).to_numpy(np.float32)]
    dense.append(table[["wind_gust"]].isna().to_numpy(np.float32))
    for name, period in CYCLICAL.items():
        angle = 2 * np.pi * table[name].to_numpy(np.float32)[:, None] / period
        dense += [np.nan_to_num(np.sin(angle)), np.nan_to_num(np.cos(angle))]
    found = {"numbers": np.concatenate(dense, axis=1)}
    for name in EMBEDDED:
        vocabulary = train[name].value_counts().index[:200]
        found[name] = pd.Categorical(table[name], vocabulary).codes.astype(np.int32) + 1
    return found


def network_of(inputs: dict[str, np.ndarray], train: pd.DataFrame, members: int) -> keras.Model:
    """`members` networks with a head per task, whose losses and predictions are averaged."""
    tensors = {
        name: keras.Input(values.shape[1:], name=name, dtype=values.dtype.name) for name, values in inputs.items()
    }
    delays = train["arr_delay"]
    status, delay = [], []
    for _ in range(members):
        parts = [tensors["numbers"]]
        parts += [layers.Embedding(train[name].nunique() + 1, size)(tensors[name]) for name, size in EMBEDDED.items()]
        hidden = layers.Concatenate()(parts)
        for units in (128, 64):
            hidden = layers.Dropout(0.1)(layers.Dense(units, activation="relu")(hidden))
        of_status = layers.Dense(32, activation="relu")(hidden)
        status.append(layers.Dense(len(CLASSES), activation="softmax")(of_status))
        of_delay = layers.Dense(1)(layers.Dense(32, activation="relu")(hidden))
        delay.append(layers.Rescaling(float(delays.std()), float(delays.mean()))(of_delay))
    outputs = {
        "status": layers.Average(name="status")(status) if members > 1 else status[0],
        "arr_delay": layers.Average(name="arr_delay")(delay) if members > 1 else delay[0],
    }
    network = keras.Model(tensors, outputs)
    network.compile(
        "adam",
        loss={"status": "sparse_categorical_crossentropy", "arr_delay": "mae"},
        loss_weights={"status": 0.8, "arr_delay": 0.2 / float(delays.std())},
        weighted_metrics={"status": ["accuracy"], "arr_delay": ["mae"]},
    )
    return network


def metrics_of(table: pd.DataFrame, status: np.ndarray, delay: np.ndarray) -> dict[str, float]:
    """The metrics of a split or slice; areas only where all classes occur."""
    codes = pd.Categorical(table["status"], CLASSES).codes
    found = {
        "accuracy": metrics.accuracy_score(codes, status.argmax(1)),
        "log_loss": metrics.log_loss(codes, status, labels=range(len(CLASSES))),
        "f1": metrics.f1_score(codes, status.argmax(1), average="macro"),
    }
    if len(set(codes)) == len(CLASSES):
        found["auc"] = metrics.roc_auc_score(codes, status, multi_class="ovr")
        found["auc_pr"] = metrics.average_precision_score(np.eye(len(CLASSES))[codes], status)
    known = table["arr_delay"].notna().to_numpy()
    labels, predicted = table["arr_delay"].to_numpy()[known], delay[known]
    found["mae"] = metrics.mean_absolute_error(labels, predicted)
    found["rmse"] = metrics.mean_squared_error(labels, predicted) ** 0.5
    found["bias"] = float(np.mean(predicted - labels))
    return {name: float(value) for name, value in found.items()}


def main() -> None:
    """Reads, trains, evaluates, exports, prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="receives the SavedModel")
    parser.add_argument("--members", type=int, default=4)
    arguments = parser.parse_args()
    keras.utils.set_random_seed(17)
    table = pd.concat([pd.read_csv(path) for path in sorted(Path("data/flights").glob("*.csv"))])
    train, evaluated = table[table["day_of_year"] < 305], table[table["day_of_year"] >= 305]
    validated = train.sample(frac=0.1, random_state=17)
    train = train.drop(validated.index)
    times = {"imports": IMPORTED - STARTED, "reading": time.monotonic() - IMPORTED}
    started = time.monotonic()
    inputs, held_out, of_eval = (features_of(part, train) for part in (train, validated, evaluated))
    network = network_of(inputs, train, arguments.members)

    def labels_of(part: pd.DataFrame) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        codes = pd.Categorical(part["status"], CLASSES).codes.astype(np.int32)
        delays = part["arr_delay"].to_numpy(np.float32)
        weights = {"status": np.ones(len(part), np.float32), "arr_delay": np.isfinite(delays).astype(np.float32)}
        return {"status": codes, "arr_delay": np.nan_to_num(delays)}, weights

    network.fit(
        inputs,
        *labels_of(train)[:1],
        sample_weight=labels_of(train)[1],
        validation_data=(held_out, *labels_of(validated)),
        epochs=5,
        batch_size=512,
        callbacks=[keras.callbacks.EarlyStopping(patience=2, restore_best_weights=True)],
        verbose=0,
    )
    times["fitting"] = time.monotonic() - started
    started = time.monotonic()
    predicted = network.predict(of_eval, batch_size=2048, verbose=0)
    status, delay = predicted["status"], predicted["arr_delay"][:, 0]
    whole = metrics_of(evaluated, status, delay)
    for column in ("origin", "carrier"):
        for value in evaluated[column].unique():
            chosen = (evaluated[column] == value).to_numpy()
            metrics_of(evaluated[chosen], status[chosen], delay[chosen])
    times["evaluating"] = time.monotonic() - started
    started = time.monotonic()
    network.export(str(arguments.folder / "model"), verbose=False)
    times["exporting"] = time.monotonic() - started
    print(json.dumps({"metrics": whole, "seconds": {name: round(value, 1) for name, value in times.items()}}))


if __name__ == "__main__":
    main()
