"""What is taken from inside TFMA, in one place: nothing else here imports a private name.

The names are the same in TFMA 0.47 and 0.52.
"""

from tensorflow_model_analysis.evaluators.metrics_plots_and_validations_evaluator import (
    _AddDerivedCrossSliceAndDiffMetrics as AddDerivedAndDiffMetrics,
)
from tensorflow_model_analysis.evaluators.metrics_plots_and_validations_evaluator import (
    _filter_and_separate_computations as separate_computations,
)
from tensorflow_model_analysis.evaluators.metrics_plots_and_validations_evaluator import (
    _remove_private_metrics as remove_private_metrics,
)
from tensorflow_model_analysis.metrics.example_count import _ExampleCountCombiner as ExampleCountCombiner

__all__ = ["AddDerivedAndDiffMetrics", "ExampleCountCombiner", "remove_private_metrics", "separate_computations"]
