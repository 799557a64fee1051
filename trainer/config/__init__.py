"""The part of the configuration that the Transform and Trainer components read."""

from trainer.config.balancing import BalancingConfig
from trainer.config.base import ClassName, Count, Name, Number, Rate, StrictModel, reject_bool
from trainer.config.component import LabelConfig, PreprocessingConfig, TrainerConfig
from trainer.config.features import (
    CategoricalFeature,
    CyclicalFeature,
    Feature,
    FeatureConfig,
    HashedFeature,
    NumericFeature,
    VectorFeature,
    column_of,
)
from trainer.config.model import ModelConfig
from trainer.config.tasks import BinaryTask, MulticlassTask, RegressionTask, Task, TaskConfig
from trainer.config.training import EarlyStoppingConfig, TrainingConfig
from trainer.config.trunk import TrunkConfig

__all__ = [
    "BalancingConfig",
    "BinaryTask",
    "CategoricalFeature",
    "ClassName",
    "Count",
    "CyclicalFeature",
    "EarlyStoppingConfig",
    "Feature",
    "FeatureConfig",
    "HashedFeature",
    "LabelConfig",
    "ModelConfig",
    "MulticlassTask",
    "Name",
    "Number",
    "NumericFeature",
    "PreprocessingConfig",
    "Rate",
    "RegressionTask",
    "StrictModel",
    "Task",
    "TaskConfig",
    "TrainerConfig",
    "TrainingConfig",
    "TrunkConfig",
    "VectorFeature",
    "column_of",
    "reject_bool",
]
