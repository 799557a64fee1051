"""Configurations and trainings of comparisons, made by hand."""

from collections.abc import Sequence

from pipeline.commands.compare.comparison import TaskInfo, Training
from pipeline.commands.compare.summary import Trained
from pipeline.commands.compare.variants import candidates
from trainer.config import TrainerConfig

TASKS = {
    "late": TaskInfo(kind="binary", metric="auc", higher_is_better=True, labelled=40),
    "delay": TaskInfo(kind="regression", metric="mae", higher_is_better=False, unit="minutes", labelled=38),
}


def trainer_config(**model: object) -> TrainerConfig:
    """Two tasks over one number."""
    return TrainerConfig.model_validate(
        {
            "seed": 5,
            "features": {"distance": {"kind": "numeric"}},
            "tasks": {
                "late": {"kind": "binary", "label": "late", "loss_weight": 0.5},
                "delay": {"kind": "regression", "label": "delay"},
            },
            "model": {"trunk": {"units": [8, 4], "dropout": 0.1}, "towers": {"default": [4], "late": [6]}, **model},
            "training": {"epochs": 2},
        }
    )


def trainings(
    late: Sequence[float | None], delay: Sequence[float | None], parameters: int = 100, seconds: float = 2.0
) -> list[Training]:
    """One per repetition, with each task's headline metric."""
    return [
        Training(
            key=f"{parameters}-{repetition}",
            label="",
            tasks=["late", "delay"],
            repetition=repetition,
            parameters=parameters,
            seconds=seconds,
            epochs=2,
            best_epoch=1,
            metrics={"late": {"auc": auc, "labelled": 40.0}, "delay": {"mae": mae, "labelled": 38.0}},
        )
        for repetition, (auc, mae) in enumerate(zip(late, delay, strict=True))
    ]


def two_candidates() -> tuple[list, Trained]:
    """shared_bottom, which is worse than single-task networks in `delay`, and mmoe, which is better in both."""
    single = trainings([0.80, 0.80], [10.0, 10.0], parameters=80, seconds=1.5)
    trained = Trained(
        candidates={
            "shared_bottom × fixed": trainings([0.80, 0.82], [11.0, 12.0]),
            "mmoe × fixed": trainings([0.84, 0.88], [9.5, 9.0], parameters=300),
        },
        single={"late": single, "delay": single},
        equal={"late": trainings([0.81, 0.81], [10, 10]), "delay": trainings([0.8, 0.8], [9.0, 9.0])},
        factors={"late": 1.2, "delay": 1.3},
    )
    return candidates(trainer_config(), ["shared_bottom", "mmoe"], ["fixed"]), trained
