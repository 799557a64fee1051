"""Loads a model and checks its answers."""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from serving.check.answers import Answers, differences, unusable
from serving.check.findings import Findings, Latency
from serving.check.requests import UNSEEN, Inputs, inputs_of, signatures_of, take, values_to_refuse, with_unseen
from serving.description import image_columns, read_description
from serving.errors import Code, RequestError
from serving.rows import only_columns
from serving.saved_model import LoadedModel
from serving.signatures import COLUMNS, ERROR, EXAMPLES, STRING, read_meta_graph

BATCH_SIZES = (1, 7, 1024)
_REQUESTS_PER_SIZE = 16
_DISTINCT_REQUESTS = 16


def try_model(
    path: Path, rows: Sequence[bytes], report: Callable[[Findings], None]
) -> tuple[Findings, dict[str, Answers]]:
    """Loads a model and calls its signatures.

    Args:
        path: the SavedModel's folder.
        rows: serialized tf.Examples, at least one; what serving_columns does not have is removed from them.
        report: is called with the findings when a stage begins, so that they are known if the process crashes in it.

    Returns:
        The findings, and the signatures' answers: signature → output → values; no answers if the model could not be
        loaded.
    """
    findings = Findings()

    def begin(stage: str) -> None:
        findings.stage = stage
        report(findings)

    begin("looking at its operations")
    try:
        findings.problems += operation_problems(read_meta_graph(path))
    except ValueError as error:
        findings.problems.append(str(error))
    if findings.problems:
        return findings, {}
    begin("loading the model")
    try:
        model = LoadedModel(path)
    except RequestError as error:
        findings.problems.append(f"TensorFlow Serving's loader refuses the model: {error}")
        return findings, {}
    try:
        trial = _Trial(model, rows, image_columns(read_description(path)))
        findings.signatures = trial.signatures
        findings.problems += [
            f"the model has no signature {name}" for name in (EXAMPLES, COLUMNS) if name not in trial.signatures
        ]
        if findings.problems:
            return findings, {}
        begin("answering real rows")
        answers, problems = trial.real_rows()
        findings.problems += problems
        begin("answering other rows")
        findings.problems += trial.other_rows()
        begin("answering batches")
        findings.problems += trial.batches(answers)
        # A signature that does not answer has no latency.
        if set(answers) == set(trial.signatures):
            begin("measuring latency")
            for signature in (EXAMPLES, COLUMNS):
                findings.latency[signature] = {
                    str(size): measure(trial.request(signature, size), calls) for size, calls in CALLS.items()
                }
    finally:
        model.close()
    begin("done")
    return findings, answers


class _Trial:
    """A model and the rows that it is tested with."""

    def __init__(self, model: LoadedModel, rows: Sequence[bytes], images: Collection[str] = ()):
        self._model = model
        self._images = images
        self.signatures = signatures_of(model.signatures)
        columns = model.signatures[COLUMNS].inputs if COLUMNS in self.signatures else ()
        self._rows = only_columns(rows, columns)
        self._names = [f"row {number}" for number in range(1, len(rows) + 1)]
        self._inputs: dict[str, Inputs] = {}

    def real_rows(self) -> tuple[dict[str, Answers], list[str]]:
        """The answers to all rows at once, and their problems."""
        return self._answers(self.signatures, self._rows, self._names, "real rows are")

    def other_rows(self) -> list[str]:
        """The problems of the answers to a row without optional columns, to unseen values in string columns, and to
        values that must be refused."""
        problems = []
        for name, row, left_out in _other_rows(self._rows[0], self._model.signature(COLUMNS), self._images):
            problems += self._answers(list(self._inputs), [row], [name], f"{name} is", left_out)[1]
        if COLUMNS in self._inputs:
            problems += self._unrefused()
            for column in self._images:
                problems += self._error_of_row(column)
        return problems

    def _answers(
        self,
        signatures: Sequence[str],
        rows: Sequence[bytes],
        names: Sequence[str],
        who: str,
        left_out: Collection[str] = (),
    ) -> tuple[dict[str, Answers], list[str]]:
        """The answers to rows, in requests to serving_columns without the columns `left_out`, and their problems."""
        answers: dict[str, Answers] = {}
        problems: list[str] = []
        for signature in signatures:
            try:
                inputs = inputs_of(signature, self._model.signature(signature), rows)
                self._inputs.setdefault(signature, inputs)
                if signature == COLUMNS:
                    inputs = {column: values for column, values in inputs.items() if column not in left_out}
                answers[signature] = self._model.run(signature, inputs)
            except (RequestError, ValueError) as error:
                problems.append(f"{signature}: {who} not answered: {error}")
                continue
            problems += unusable(signature, answers[signature], names)
        if EXAMPLES in answers and COLUMNS in answers:
            problems += differences(COLUMNS, answers[COLUMNS], answers[EXAMPLES], names, EXAMPLES)
        return answers, problems

    def _unrefused(self) -> list[str]:
        """Values that serving_columns answers, and must refuse: they are cast to nonsense, or were never trained on."""
        problems = []
        row = take(self._inputs[COLUMNS], np.arange(1))
        for column, value in values_to_refuse(self._model.signature(COLUMNS)):
            who = f"{COLUMNS}: {value.reshape(-1)[0]} in column {column}"
            try:
                self._model.run(COLUMNS, {**row, column: value})
                problems.append(f"{who} is answered, and should be refused")
            except RequestError as error:
                if error.code != Code.INVALID_ARGUMENT:
                    problems.append(f"{who} is refused as {error.code.name}: {error}")
        return problems

    def _error_of_row(self, column: str) -> list[str]:
        """Whether what is no image is an error of its own row alone."""
        inputs = take(self._inputs[COLUMNS], np.zeros(2, int))
        if column not in inputs:
            return []
        inputs[column][1] = UNSEEN
        who = f"{COLUMNS}: a row with no image in column {column}"
        try:
            errors = self._model.run(COLUMNS, inputs, [ERROR])[ERROR].tolist()
        except RequestError as error:
            return [f"{who} is refused with all rows beside it: {error}"]
        return [] if not errors[0] and errors[1] else [f"{who}, after one with an image, has the errors {errors}"]

    def batches(self, answers: dict[str, Answers]) -> list[str]:
        """The differences between the answers to all rows at once and those to batches of other sizes."""
        problems = []
        for signature, expected in answers.items():
            # With any other shape it is unknown which value belongs to which row.
            if all(values.shape[:1] == (len(self._rows),) for values in expected.values()):
                for size in BATCH_SIZES:
                    problems += self._batches_of(size, signature, expected)
        return problems

    def _batches_of(self, size: int, signature: str, expected: Answers) -> list[str]:
        who = f"{signature}, {size} row{'' if size == 1 else 's'} at a time"
        for rows in self._chunks(size):
            names = [self._names[row] for row in rows]
            try:
                answers = self._model.run(signature, take(self._inputs[signature], rows))
            except RequestError as error:
                return [f"{who}: {names[0]} is not answered: {error}"]
            of_all = f"a batch of {len(self._rows)}"
            problems = list(differences(who, answers, take(expected, rows), names, of_all, expected))
            if problems:
                return problems
        return []

    def _chunks(self, size: int) -> Iterator[np.ndarray]:
        """Row numbers of each batch, repeated if there are fewer rows than the size."""
        count = min(-(-len(self._rows) // size), _REQUESTS_PER_SIZE)
        for number in range(count):
            yield np.arange(number * size, (number + 1) * size) % len(self._rows)

    def request(self, signature: str, size: int) -> Callable[[int], object]:
        """A function that sends the n-th request of so many rows."""
        count = min(len(self._rows), _DISTINCT_REQUESTS)
        prepared = [
            take(self._inputs[signature], np.arange(first, first + size) % len(self._rows)) for first in range(count)
        ]
        return lambda number: self._model.run(signature, prepared[number % count])


def _other_rows(row: bytes, columns: Any, images: Collection[str]) -> Iterator[tuple[str, bytes, set[str]]]:
    """Rows that no data has: name, row, and the columns to leave out of a request to serving_columns."""
    required = only_columns([row], set(columns.inputs) - set(columns.defaults))[0]
    yield "the row without optional columns", required, set(columns.defaults)
    for column in sorted(name for name, info in columns.inputs.items() if info.dtype == STRING and name not in images):
        yield f"the row with an unseen value in {column}", with_unseen(row, column), set()


CALLS = {1: 200, 128: 50}
"""Rows of a request → how many requests are measured, if time permits."""

BUDGET_SECONDS = 5.0
"""For one signature and size; a slow model is measured by fewer requests."""

LEAST_CALLS = 5
WARMUP_CALLS = 5


def measure(call: Callable[[int], object], calls: int, budget_seconds: float = BUDGET_SECONDS) -> Latency:
    """The latency of `call`, whose argument is the number of the request.

    Args:
        call: makes one request and waits for the answer.
        calls: the most calls that are measured, after some that are not.
        budget_seconds: after this time, no more than `LEAST_CALLS` are made.
    """
    start = time.perf_counter()
    for number in range(WARMUP_CALLS):
        call(number)
        if time.perf_counter() - start > budget_seconds / 2:
            break
    taken: list[float] = []
    while len(taken) < calls and (len(taken) < LEAST_CALLS or time.perf_counter() - start < budget_seconds):
        before = time.perf_counter()
        call(len(taken))
        taken.append(time.perf_counter() - before)
    p50, p99 = np.percentile(taken, [50, 99]) * 1000
    return Latency(p50_ms=round(float(p50), 3), p99_ms=round(float(p99), 3))


PYTHON_OPERATIONS = frozenset({"PyFunc", "PyFuncStateless", "EagerPyFunc"})
"""Registered by TensorFlow itself, but they call back into the Python process that made the model."""


def operation_problems(meta_graph: Any) -> list[str]:
    """A sentence for each operation that TF Serving would not have.

    An operation counts as TensorFlow's own if this process knows it: call it where nothing but TensorFlow is imported.
    """
    from tensorflow.python.framework import op_def_registry

    graph = meta_graph.graph_def
    functions = {function.signature.name for function in graph.library.function}
    problems = []
    # Of each operation, the place where it occurs first.
    for name, place in sorted(dict(reversed([*_nodes(graph)])).items()):
        if name in PYTHON_OPERATIONS:
            problems.append(f"{place} is a {name}: it calls Python, which TensorFlow Serving does not have")
        elif name not in functions and op_def_registry.get(name) is None:
            problems.append(f"{place} is a {name}: not one of TensorFlow's core operations")
    return problems


def _nodes(graph: Any) -> Iterator[tuple[str, str]]:
    for node in graph.node:
        yield node.op, f"the graph's node {node.name}"
    for function in graph.library.function:
        for node in function.node_def:
            yield node.op, f"node {node.name} of the function {function.signature.name}"
