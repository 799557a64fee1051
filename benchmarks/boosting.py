"""Four libraries of boosted trees on the rows of `benchmarks.ablation`: `python -m benchmarks.boosting FOLDER`.

For each table that `python -m benchmarks.ablation FOLDER` has prepared, one model per task by LightGBM, XGBoost,
CatBoost and scikit-learn, each with its defaults and early stopping on a tenth of the training rows; for a regression
by absolute and by squared error. They read the columns of the configuration's features as ExampleGen wrote them. Every
model is a line of FOLDER/boosting.jsonl; the same command continues after the last one. Prints a Markdown table that
compares the best of them with each task's mean over the seeds of the ablation.

Needs `pip install lightgbm xgboost catboost`, which Janus itself does not.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.ablation import lines_of, measure_of, newest
from benchmarks.intervals import Predicted, write_predictions
from benchmarks.public_tables import DOWNLOADED

ROUNDS = 3000
"""Most rounds; early stopping ends long before."""
PATIENCE = 50
"""Rounds without a gain on the held-out tenth after which the boosting stops."""
LIBRARIES = ("lightgbm", "xgboost", "catboost", "scikit-learn")


class Task(NamedTuple):
    """The labelled rows of a task: features, labels (class numbers, or values), classes, and metric."""

    train: pd.DataFrame
    train_labels: np.ndarray
    evaluation: pd.DataFrame
    eval_labels: np.ndarray
    classes: list[str]
    metric: str


def main() -> None:
    """Fits what is not in the results yet, and prints the summary."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="the folder that benchmarks.ablation made")
    parser.add_argument("--tables", default=",".join(DOWNLOADED), help="some of them, with commas between")
    arguments = parser.parse_args()
    folder, tables = arguments.folder.resolve(), arguments.tables.split(",")
    results = folder / "boosting.jsonl"
    done = {(line["table"], line["task"], line["model"]) for line in lines_of(results)}
    for table in tables:
        for name, task in _tasks(folder / table, table):
            for model, fit in _models(task):
                if (table, name, model) in done:
                    continue
                start = time.monotonic()
                line: dict[str, Any] = {"table": table, "task": name, "model": model, "metric": task.metric}
                try:
                    predicted = Predicted(task.metric, task.eval_labels, fit())
                    line["value"] = _measured(predicted.values, task)
                    write_predictions(Path(), name, model, predicted, task.classes)
                except ValueError as error:  # such as scikit-learn's, of a class with a single row
                    line["error"] = str(error)
                line["seconds"] = round(time.monotonic() - start, 1)
                print(json.dumps(line), flush=True)
                with results.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
    _print_summary(folder, tables)


def _tasks(home: Path, table: str) -> Iterator[tuple[str, Task]]:
    from pipeline.config.file import load_config

    os.chdir(home)
    config = load_config(f"configs/{table}.yaml")
    examples = newest(Path("runs") / table / "root" / "ExampleGen" / "examples")
    train, evaluation = (_rows(examples / f"Split-{split}") for split in ("train", "eval"))
    columns = config.feature_columns()
    both = _typed(pd.concat([train[columns], evaluation[columns]]), config)
    features = both.iloc[: len(train)], both.iloc[len(train) :]
    for name, task in config.tasks.items():
        labels = [rows[task.label] for rows in (train, evaluation)]
        known = [label.notna().to_numpy() for label in labels]
        values = [label[rows].to_numpy() for label, rows in zip(labels, known, strict=True)]
        classes = (
            sorted({str(value) for value in values[0]}) if task.kind in ("binary", "multiclass", "ordinal") else []
        )
        numbers = [
            np.array([classes.index(str(value)) for value in part]) if classes else part.astype(float)
            for part in values
        ]
        rows = [part[labelled] for part, labelled in zip(features, known, strict=True)]
        yield name, Task(rows[0], numbers[0], rows[1], numbers[1], classes, measure_of(task))


def _rows(split: Path) -> pd.DataFrame:
    from janus_core.examples.decode import decode_batches
    from janus_core.examples.records import record_batches

    tables = [
        pd.DataFrame({name: [_single(value) for value in values] for name, values in batch.items()})
        for path in sorted(split.iterdir())
        for batch in (part.to_pydict() for part in decode_batches(record_batches(str(path))))
    ]
    return pd.concat(tables, ignore_index=True)


def _single(values: list[Any] | None) -> Any:
    value = values[0] if values else None
    return value.decode() if isinstance(value, bytes) else value


def _typed(rows: pd.DataFrame, config: Any) -> pd.DataFrame:
    """Categories as such, a missing one as a value of its own; all else as numbers."""
    kinds = {feature.column or name: feature.kind for name, feature in config.features.items()}
    typed = {}
    for name in rows.columns:
        if kinds[name] in ("categorical", "hashed", "boolean") or rows[name].map(type).eq(str).any():
            typed[name] = rows[name].map(str).where(rows[name].notna(), "missing").astype("category")
        else:
            typed[name] = pd.to_numeric(rows[name]).astype(float)
    return pd.DataFrame(typed)


def _models(task: Task) -> Iterator[tuple[str, Callable[[], np.ndarray]]]:
    for library in LIBRARIES:
        for loss in ("",) if task.classes else ("absolute", "squared"):
            yield f"{library} {loss}".strip(), lambda library=library, loss=loss: _fitted(library, loss, task)


def _fitted(library: str, loss: str, task: Task) -> np.ndarray:
    """The predictions of the evaluated rows: values, or probabilities [rows, classes]."""
    held = np.random.RandomState(0).rand(len(task.train)) < 0.1
    train, labels = task.train[~held], task.train_labels[~held]
    validation, evaluation = (task.train[held], task.train_labels[held]), task.evaluation
    categories = [name for name in train.columns if train[name].dtype == "category"]
    if library == "lightgbm":
        import lightgbm

        stop = lightgbm.early_stopping(PATIENCE, verbose=False)
        settings = {"n_estimators": ROUNDS, "verbose": -1}
        objective = {"absolute": "mae", "squared": "regression"}.get(loss)
        model = lightgbm.LGBMRegressor(objective=objective, **settings) if loss else lightgbm.LGBMClassifier(**settings)
        model.fit(train, labels, eval_set=[validation], callbacks=[stop])
    elif library == "xgboost":
        import xgboost

        settings = {"n_estimators": ROUNDS, "early_stopping_rounds": PATIENCE, "enable_categorical": True}
        objective = {"absolute": "reg:absoluteerror", "squared": "reg:squarederror"}.get(loss)
        model = xgboost.XGBRegressor(objective=objective, **settings) if loss else xgboost.XGBClassifier(**settings)
        model.fit(train, labels, eval_set=[validation], verbose=False)
    elif library == "catboost":
        import catboost

        settings = {"iterations": ROUNDS, "early_stopping_rounds": PATIENCE, "cat_features": categories}
        settings |= {"verbose": False, "allow_writing_files": False}
        objective = {"absolute": "MAE", "squared": "RMSE"}.get(loss)
        regressor, classifier = catboost.CatBoostRegressor, catboost.CatBoostClassifier
        model = regressor(loss_function=objective, **settings) if loss else classifier(**settings)
        model.fit(train, labels, eval_set=validation)
    else:
        from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

        codes = {name: task.train[name].cat.codes for name in categories}
        # It takes at most 255 categories: the rarest become one.
        most = {name: set(part.value_counts().index[:250]) for name, part in codes.items()}

        def coded(rows: pd.DataFrame) -> pd.DataFrame:
            kept = {name: rows[name].cat.codes.where(rows[name].cat.codes.isin(most[name])) for name in categories}
            ranks = {name: {code: rank for rank, code in enumerate(sorted(most[name]))} for name in categories}
            return rows.assign(**{name: kept[name].map(ranks[name]).astype(float) for name in categories})

        settings = {"early_stopping": True, "random_state": 0, "max_iter": ROUNDS}
        settings["categorical_features"] = [name in categories for name in train.columns]
        regressor, classifier = HistGradientBoostingRegressor, HistGradientBoostingClassifier
        model = regressor(loss=f"{loss}_error", **settings) if loss else classifier(**settings)
        model.fit(coded(task.train).to_numpy(), task.train_labels)
        evaluation = coded(task.evaluation).to_numpy()
    if loss:
        return np.asarray(model.predict(evaluation))
    probabilities = np.zeros((len(evaluation), len(task.classes)))
    probabilities[:, np.asarray(model.classes_, int)] = model.predict_proba(evaluation)
    return probabilities


def _measured(predictions: np.ndarray, task: Task) -> float:
    """The MAE, or the AUC as Janus has it: the mean over the classes of which some evaluated rows are."""
    from sklearn.metrics import mean_absolute_error, roc_auc_score

    if task.metric == "mae":
        if task.classes:  # of an ordinal task, the distance of the median class
            predictions = (predictions.cumsum(axis=1) < 0.5).sum(axis=1)
        return float(mean_absolute_error(task.eval_labels, predictions))
    classes = [1] if len(task.classes) == 2 else range(len(task.classes))
    found = [(task.eval_labels == number, predictions[:, number]) for number in classes]
    return fmean(roc_auc_score(has, scores) for has, scores in found if 0 < has.sum() < len(has))


def _print_summary(folder: Path, tables: list[str]) -> None:
    print("\n| table.task | metric | before | now | best of four boosting libraries | now against boosting |")
    print("|---|---|---|---|---|---|")
    boosted, trained = [list(lines_of(folder / f"{name}.jsonl")) for name in ("boosting", "ablation")]
    changes = []
    for table in tables:
        names = dict.fromkeys(line["task"] for line in boosted if line["table"] == table)
        for task in names:
            found = [line for line in boosted if (line["table"], line["task"]) == (table, task)]
            models = {line["model"]: line["value"] for line in found if "value" in line}
            lower = found[0]["metric"] == "mae"
            best = (min if lower else max)(models, key=lambda model: models[model])
            values = {
                variant: [
                    line["metrics"][task] for line in trained if (line["table"], line["variant"]) == (table, variant)
                ]
                for variant in ("plain", "recipe")
            }
            cells = [_cell(values[variant]) for variant in ("plain", "recipe")] + [f"{models[best]:.5g} {best}"]
            if values["recipe"]:
                errors = [value if lower else 1 - value for value in (fmean(values["recipe"]), models[best])]
                changes.append(errors[0] / errors[1] - 1)
                cells.append(f"{changes[-1]:+.1%}")
            print(f"| {table}.{task} | {found[0]['metric']} | {' | '.join(cells)} |")
    if changes:
        print(f"\nOf {len(changes)} tasks: median {median(changes):+.1%}, worst {max(changes):+.1%}.")


def _cell(values: list[float]) -> str:
    spread = f" ± {stdev(values):.2g}" if len(values) > 1 else ""
    return f"{fmean(values):.5g}{spread} ({len(values)})" if values else ""


if __name__ == "__main__":
    main()
