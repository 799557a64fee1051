"""The TFX component."""

from tfx.components import Tuner
from tfx.dsl.components.base.executor_spec import ExecutorClassSpec

from components.tuner.executor import Executor


class ParallelTuner(Tuner):
    """TFX's Tuner, with its arguments and artifacts, which also does what `tune_args.num_parallel_trials` asks for.

    Beside TFX's file, the artifact `tuner_results` has every trial with what it took (`executor.TRIALS_FILE`).
    """

    EXECUTOR_SPEC = ExecutorClassSpec(Executor)
