"""What images, boxes, sequences and their tags mean for other keys."""

from collections.abc import Iterator, Mapping

from components.example_gen.structured import ImageColumn, TagsColumn
from janus_core.tables.config import DataConfig
from trainer.config import BoxTask, Feature, ImageFeature, SequenceFeature, SequenceTagsTask, Task, column_of


def image_columns(features: Mapping[str, Feature]) -> dict[str, ImageColumn]:
    """Column of images → what it holds."""
    return {
        column_of(name, feature): ImageColumn(feature=name, source=feature.source, max_pixels=feature.max_pixels)
        for name, feature in features.items()
        if isinstance(feature, ImageFeature)
    }


def box_columns(tasks: Mapping[str, Task]) -> dict[str, str]:
    """Label column of boxes → its task."""
    return {task.label: name for name, task in tasks.items() if isinstance(task, BoxTask)}


def tags_columns(features: Mapping[str, Feature], tasks: Mapping[str, Task]) -> dict[str, TagsColumn]:
    """Label column of tags → what they are of."""
    found = {}
    for name, task in tasks.items():
        feature = features.get(task.sequence) if isinstance(task, SequenceTagsTask) else None
        if isinstance(task, SequenceTagsTask) and isinstance(feature, SequenceFeature):
            found[task.label] = TagsColumn(
                task=name,
                tokens=column_of(task.sequence, feature),
                separator=task.separator,
                tokens_separator=feature.separator,
                classes=task.classes,
            )
    return found


def sequence_problems(features: Mapping[str, Feature], tasks: Mapping[str, Task]) -> Iterator[str]:
    """What is wrong between sequences and tags, one sentence each that begins with the key's full path."""
    sequences = [name for name, feature in features.items() if isinstance(feature, SequenceFeature)]
    for name, task in tasks.items():
        if isinstance(task, SequenceTagsTask) and task.sequence not in sequences:
            known = f"features of that kind are {', '.join(sequences)}" if sequences else "there is none; add one"
            yield f"tasks.{name}.sequence: '{task.sequence}' is no feature of kind sequence; {known}"


def with_separators(
    data: DataConfig, features: Mapping[str, Feature], tasks: Mapping[str, Task]
) -> tuple[dict[str, Feature], dict[str, Task]]:
    """Features and tasks with the default separators: a blank between tokens in CSV, and between tags as tokens."""
    features = {
        name: feature.model_copy(update={"separator": " "})
        if data.format == "csv" and isinstance(feature, SequenceFeature) and feature.separator is None
        else feature
        for name, feature in features.items()
    }
    of_tokens = {name: getattr(feature, "separator", None) for name, feature in features.items()}
    tasks = {
        name: task.model_copy(update={"separator": of_tokens.get(task.sequence)})
        if isinstance(task, SequenceTagsTask) and task.separator is None
        else task
        for name, task in tasks.items()
    }
    return features, tasks


def media_problems(data: DataConfig, features: Mapping[str, Feature], tasks: Mapping[str, Task]) -> Iterator[str]:
    """What is wrong between images, boxes and the data, one sentence each that begins with the key's full path."""
    images = {name: feature for name, feature in features.items() if isinstance(feature, ImageFeature)}
    owners: dict[str, tuple[str, ImageFeature]] = {}
    for name, image in images.items():
        if image.source == "bytes" and data.format == "csv":
            yield (
                f"features.{name}.source: CSV has no columns of bytes; let the column name the images' files "
                "(source: path), or use Parquet or TFRecord"
            )
        other, known = owners.setdefault(column_of(name, image), (name, image))
        if known.source != image.source:
            yield f"features.{name}.source: column '{column_of(name, image)}' is {known.source} in features.{other}"
    for name in box_columns(tasks).values():
        if not images:
            yield f"tasks.{name}.kind: a box is in an image, and no feature is of kind image; add one"
        if data.format == "csv":
            yield (
                f"tasks.{name}.label: a box is a list of four numbers, which CSV does not have; use Parquet or TFRecord"
            )
        for feature, image in images.items():
            if image.shift:
                yield (
                    f"features.{feature}.shift: a shifted image no longer fits the boxes of task '{name}'; remove this "
                    "key or set it to 0"
                )


def with_shifts(features: Mapping[str, Feature], tasks: Mapping[str, Task]) -> dict[str, Feature]:
    """The features with images that are not shifted in training where there are boxes, which would not move along."""
    still = bool(box_columns(tasks))
    return {
        name: feature.model_copy(update={"shift": 0.0})
        if still and isinstance(feature, ImageFeature) and feature.shift is None
        else feature
        for name, feature in features.items()
    }
