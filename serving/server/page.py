"""The page at /, on which a person fills in a row's columns and sees every task's prediction.

It is made from the signature `serving_columns`, with details of each column and task if the model has a description.
It sends its requests to the REST API, so that it shows what a client receives.
"""

import base64
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from janus_core.kinds import KINDS
from janus_core.templates import templates_of
from serving.description import ColumnDescription, ModelDescription, TaskDescription
from serving.errors import RequestError
from serving.rows import rows_of_examples
from serving.server.manager import ModelManager, ServedVersion
from serving.signatures import COLUMNS
from serving.warmup import warmup_rows

MOST_ROWS = 50
"""The most rows of the warm-up requests that the page offers."""

_STATIC = {"page.css": "text/css", "page.js": "text/javascript"}
_HEADERS = {
    "Cache-Control": "no-cache",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_FLOATS = ("DT_FLOAT", "DT_DOUBLE", "DT_HALF", "DT_BFLOAT16")
_INTS = ("DT_INT8", "DT_INT16", "DT_INT32", "DT_INT64", "DT_UINT8", "DT_UINT16", "DT_UINT32", "DT_UINT64")

_SENT = {"name", "dtype", "length", "many", "values", "kinds", "missing", "image"}
"""What the page's script knows of a field."""

log = logging.getLogger(__name__)


class Field(ColumnDescription):
    """An input field of the form, for one column; `missing` is the JSON text of a missing value, if it may be missing.

    Other values than the known ones are allowed.
    """

    name: str
    missing: str | None
    image: bool = False

    @property
    def hint(self) -> str:
        """A description of the values that may be entered."""
        if self.image:
            return "a file in PNG, JPEG or GIF" if self.required else "a file in PNG, JPEG or GIF, may be empty"
        noun = {"string": "text", "float": "number", "int": "whole number"}[self.dtype]
        if "datetime" in self.kinds and self.dtype == "string":
            noun = "date or time"
        elif self.length is not None:
            noun = f"{self.length} {noun}{'s' * (self.length > 1)}, comma separated"
        elif self.many and "sequence" in self.kinds:
            noun = "tokens, comma separated"
        elif self.many:
            noun = f"{noun}s, comma separated"
        return noun if self.required else f"{noun}, may be empty"


@dataclass(frozen=True)
class Task:
    """A task as the answer's cards show it; `kind` is empty if the model has no description.

    `decides` and `parts` are the kind's, as the catalogue of kinds has them; `form` is that of its label.
    """

    name: str
    outputs: list[str]
    kind: str = ""
    classes: Sequence[str] = ()
    unit: str | None = None
    quantiles: Sequence[float] = ()
    decides: str | None = None
    parts: Sequence[str] = ()
    form: str = ""


class _NoFormError(Exception):
    """The reason why the page has no form for a model."""


def page_routes(manager: ModelManager) -> list[Route]:
    """The routes of the page of the newest version at /, and of its style and script below /static/."""
    templates = templates_of("serving.server")

    def page(request: Request) -> Response:
        # A relative URL, so that the page also works behind a proxy that serves it below another path.
        context: dict[str, Any] = {"name": manager.name, "api": f"v1/models/{quote(manager.name, safe='')}"}
        try:
            with manager.use() as served:
                context |= _context(served)
        except RequestError as error:
            context |= {"version": None, "problem": f"No version is served yet: {error}."}
        html = templates.get_template("index.html").render(context)
        # Names of columns come from models and need not be valid Unicode.
        return Response(html.encode("utf-8", "replace"), media_type="text/html; charset=utf-8", headers=_HEADERS)

    def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _STATIC:
            return Response("Not Found", 404, media_type="text/plain")
        source = files("serving.server").joinpath("templates", name).read_text(encoding="utf-8")
        return Response(source, media_type=f"{_STATIC[name]}; charset=utf-8", headers=_HEADERS)

    return [Route("/", page), Route("/static/{name}", static)]


def form_fields(definition: Any, description: ModelDescription | None) -> list[Field]:
    """The inputs of `serving_columns`, in the description's order, or else by their names.

    Args:
        definition: the SignatureDef.
        description: the model's, if it has one.
    """
    known = description.columns if description else {}
    order = [name for name in known if name in definition.inputs]
    order += sorted(set(definition.inputs) - set(order))
    return [_field(name, definition, known.get(name)) for name in order]


def answer_tasks(definition: Any, description: ModelDescription | None) -> list[Task]:
    """The tasks among the outputs of `serving_columns`.

    Without a description, an output `a/b` belongs to the output `a` if there is one, as in models of Janus.
    """
    outputs = sorted(definition.outputs)
    if description:
        return [
            _task(name, task, [output for output in task.outputs if output in outputs])
            for name, task in description.tasks.items()
        ]
    names = [output for output in outputs if not any(output.startswith(f"{other}/") for other in outputs)]
    return [
        Task(name, [output for output in outputs if output == name or output.startswith(f"{name}/")]) for name in names
    ]


def _task(name: str, task: TaskDescription, outputs: list[str]) -> Task:
    # Another version of Janus may have trained the model, with kinds that this one does not know.
    kind = KINDS.get(task.kind)
    return Task(
        name,
        outputs,
        task.kind,
        task.classes,
        task.unit,
        task.quantiles,
        kind.decides if kind else None,
        kind.parts if kind else (),
        kind.label_form if kind else "",
    )


def example_rows(served: ServedVersion, fields: Sequence[Field]) -> list[list[str]]:
    """The rows of the warm-up requests: the text to fill in for each field, empty if the value is missing."""
    described = ModelDescription(tasks={}, columns={field.name: field for field in fields})
    examples = warmup_rows(served.path)[:MOST_ROWS]
    try:
        rows = rows_of_examples(described, examples)
    except RequestError as error:
        log.warning("the page of version %d has no example rows: %s", served.version, error)
        return []
    for name in (field.name for field in fields if field.image):
        for row, example in zip(rows, examples, strict=True):
            row[name] = _image_text(example, name)
    return [[cell_text(row[field.name]) for field in fields] for row in rows]


def _image_text(example: bytes, column: str) -> str:
    """The bytes of an image in base64; empty if it is missing."""
    from tensorflow.core.example import example_pb2

    values = example_pb2.Example.FromString(example).features.feature[column].bytes_list.value
    return base64.b64encode(values[0]).decode() if values else ""


def cell_text(value: Any) -> str:
    """The text to fill in for a value; an item of a list that contains a comma or quote is quoted, as in CSV."""
    if value is None or value != value:
        return ""
    if isinstance(value, list):
        return ", ".join(_quoted(cell_text(item)) for item in value)
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _context(served: ServedVersion) -> dict[str, Any]:
    # As text, since a version may be larger than the numbers that are exact in JavaScript.
    context: dict[str, Any] = {"version": str(served.version), "problem": ""}
    try:
        definition = _columns_signature(served.model.signatures)
        fields = form_fields(definition, served.description)
        tasks = answer_tasks(definition, served.description)
    except _NoFormError as error:
        return {**context, "problem": f"{error}."}
    rows = example_rows(served, fields)
    return {
        **context,
        "fields": fields,
        "tasks": tasks,
        "rows": len(rows),
        "model": {
            "signature": COLUMNS,
            "outputs": sorted(definition.outputs),
            "fields": [field.model_dump(include=_SENT) for field in fields],
            "tasks": [asdict(task) for task in tasks],
            "rows": rows,
        },
    }


def _columns_signature(signatures: Mapping[str, Any]) -> Any:
    if COLUMNS not in signatures:
        raise _NoFormError(
            f"This version has no signature {COLUMNS}, which the form is made from; it has {', '.join(signatures)}"
        )
    return signatures[COLUMNS]


def _field(name: str, definition: Any, known: ColumnDescription | None) -> Field:
    dtype, length, many = _type(name, definition.inputs[name])
    missing = _missing(definition.defaults[name]) if name in definition.defaults else None
    if known and known.dtype == "int" and dtype == "float":
        # Whole numbers are float64 in the signature.
        dtype = "int"
    return Field(
        name=name,
        dtype=dtype,
        required=missing is None,
        length=length,
        many=many,
        values=known.values if known else [],
        kinds=known.kinds if known else [],
        missing=missing,
        image=bool(known and known.is_image),
    )


def _type(name: str, tensor: Any) -> tuple[str, int | None, bool]:
    """Dtype, length and whether it is a list."""
    from tensorflow.core.framework import types_pb2

    dtype = types_pb2.DataType.Name(tensor.dtype)
    sizes = [dimension.size for dimension in tensor.tensor_shape.dim]
    kind = "float" if dtype in _FLOATS else "int" if dtype in _INTS else "string" if dtype == "DT_STRING" else ""
    if not kind or len(sizes) not in (1, 2):
        raise _NoFormError(
            f"The form cannot give the column '{name}', which is {dtype} {sizes}: only numbers and texts, one or a "
            "list of them in a row"
        )
    length = sizes[1] if len(sizes) == 2 and sizes[1] > 0 else None
    return kind, length, len(sizes) == 2 and length is None


def _missing(default: Any) -> str:
    """The first row of a default, as JSON; NaN is written as such, which TensorFlow Serving reads."""
    import tensorflow as tf

    value = tf.make_ndarray(default)[0]
    plain = value.tolist() if hasattr(value, "tolist") else value
    return json.dumps(plain, default=lambda text: text.decode("utf-8", "replace"))


def _quoted(text: str) -> str:
    if not text or (text == text.strip() and not set(text) & {",", '"'}):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
