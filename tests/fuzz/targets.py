"""What is fuzzed. A case returns what became of it in a word, and raises anything for what must not happen."""

import csv
import gzip
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import yaml

from tests.fuzz.damage import ODD, TOKENS, damaged, reworked

Case = Callable[[Random], str]
"""Tries one input and returns what became of it."""


class BrokenError(Exception):
    """What an input did that none may do."""


def config(folder: Path) -> Case:
    """Configuration files and `--set`: accepted, or a ConfigError."""
    from janus_core.errors import ConfigError
    from pipeline.config.file import load_config
    from tests.pipeline.config.test_file import EXAMPLE

    texts = [EXAMPLE, *(path.read_text() for path in sorted(Path("configs").glob("*.yaml")))]
    originals = [(text, yaml.safe_load(text)) for text in texts]
    keys = ["features.distance.kind", "tasks.0.label", "model.trunk", "data", "push.keep", "x", "evaluation.slices.0.0"]
    keys += ["evaluation.slices.-1", "evaluation.slices.٣", "evaluation.slices.1.x", "training.epochs.y", "beam.args.9"]

    def case(random: Random) -> str:
        text, document = random.choice(originals)
        if random.random() < 0.7:
            document = reworked(document, random)
            try:
                text = yaml.safe_dump(document, allow_unicode=random.random() < 0.5)
            except (yaml.YAMLError, UnicodeEncodeError):
                text = json.dumps(document)
        content = text.encode("utf-8", "surrogatepass")
        path = folder / "fuzzed.yaml"
        path.write_bytes(damaged(content, random) if random.random() < 0.4 else content)
        overrides = []
        if random.random() < 0.3:
            value = random.choice([random.choice(TOKENS).decode("latin-1"), json.dumps(random.choice(ODD))])
            overrides = [f"{random.choice(keys)}={value}"]
        try:
            load_config(path, overrides)
        except ConfigError as error:
            return _with_message(error)
        return "accepted"

    return case


def rest(folder: Path) -> Case:
    """Bodies, paths and packed bodies of the REST API: never an internal error."""
    from serving.server import rest as api

    inference = _inference(folder)
    row = {"distance": 1.0, "carrier": "UA", "stops": 3}
    bodies: list[tuple[str, Any]] = [
        ("predict", {"signature_name": "serving_columns", "instances": [row, {**row, "carrier": {"b64": "aGk="}}]}),
        (
            "predict",
            {"signature_name": "serving_columns", "inputs": {"distance": [1.0], "carrier": [""], "stops": [1]}},
        ),
        ("predict", {"signature_name": "sums", "instances": [[1, 2], [3, 4]]}),
        ("predict", {"signature_name": "kinds", "instances": [{"whole": 1, "long": 2, "flag": True}]}),
        ("predict", {"signature_name": "echo", "instances": ["a", {"b64": "/w=="}]}),
        ("predict", {"instances": [{"b64": ""}]}),
        ("classify", {"signature_name": "late", "examples": [{"distance": 1.5}], "context": {"carrier": "UA"}}),
        ("regress", {"signature_name": "delay", "examples": [{"distance": [1.5], "stops": 3}]}),
    ]

    def case(random: Random) -> str:
        verb, document = random.choice(bodies)
        verb = random.choice([verb] * 8 + ["predict", "classify", "regress", "explain"])
        content = json.dumps(reworked(document, random) if random.random() < 0.8 else document).encode()
        if random.random() < 0.05:
            depth = random.randint(1, 1500)
            content = b'{"signature_name": "sums", "instances": %b1%b}' % (b"[" * depth, b"]" * depth)
        if random.random() < 0.3:
            content = damaged(content, random)
        target = f"/v1/models/tiny{random.choice(['', '', '', '/versions/1', '/labels/stable'])}:{verb}"
        if random.random() < 0.1:
            target = damaged(target.encode(), random).decode("latin-1")
        packed = random.random() < 0.1
        if packed:
            content = damaged(gzip.compress(content), random) if random.random() < 0.5 else gzip.compress(content)
        answer = api._answer(
            inference, random.choice(["POST"] * 9 + ["GET"]), target, content, 1 << 20 if packed else None
        )
        # What is no UTF-8 comes back as it was sent, as from TensorFlow Serving.
        answered = json.loads(bytes(answer.body).decode(errors="replace"))
        if answer.status_code not in (200, 400, 404, 412, 413, 501) or (answer.status_code == 200) == (
            "error" in answered
        ):
            raise BrokenError(f"{answer.status_code}: {answered}: {target} {content[:1000]!r}")
        return str(answer.status_code)

    return case


def grpc(folder: Path) -> Case:
    """Messages over gRPC, whole ones and damaged bytes: never an internal error."""
    from google.protobuf.message import DecodeError
    from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2, inference_pb2

    from serving.server.grpc_services import _answer
    from tests.serving.server import requests

    inference = _inference(folder)
    example = requests.example(distance=1.0, carrier="UA", stops=3)
    multi = inference_pb2.MultiInferenceRequest(input=requests.example_list(example))
    task = multi.tasks.add(method_name="tensorflow/serving/regress")
    task.model_spec.name, task.model_spec.signature_name = "tiny", "delay"
    spec = requests.good_request().model_spec
    originals: list[tuple[Callable[[Any], Any], Any]] = [
        (inference.predict, requests.good_request()),
        (inference.predict, requests.predict_request("", {"examples": [example.SerializeToString()] * 2})),
        (inference.predict, requests.predict_request("sums", {"pairs": [[1.0, 2.0]]})),
        (inference.predict, requests.predict_request("echo", {"text": [b"a", b""]})),
        (inference.classify, requests.classify_request(example)),
        (inference.regress, requests.regress_request(example)),
        (inference.multi_inference, multi),
        (
            inference.metadata,
            get_model_metadata_pb2.GetModelMetadataRequest(model_spec=spec, metadata_field=["signature_def"]),
        ),
        (inference.status, get_model_status_pb2.GetModelStatusRequest(model_spec=spec)),
    ]

    def case(random: Random) -> str:
        answer, original = random.choice(originals)
        request = type(original)()
        request.CopyFrom(original)
        for tensor in getattr(request, "inputs", {}).values():
            if random.random() < 0.4:
                _distort(tensor, random)
        content = request.SerializeToString()
        if random.random() < 0.6:
            content = damaged(content, random)
        try:
            request = type(original).FromString(content)
        except DecodeError:
            return "no message"
        context = _Context()
        try:
            _answer(answer, request, context)  # type: ignore[arg-type]
        except _AbortedError:
            if context.code in ("INTERNAL", "UNKNOWN", "DATA_LOSS", "RESOURCE_EXHAUSTED"):
                raise BrokenError(f"{context.code}: {context.details}: {content[:1000]!r}") from None
            return context.code
        return "OK"

    return case


def model(folder: Path) -> Case:
    """A version's folder with damaged, missing and additional files: served, or refused with a reason."""
    from janus_core.errors import JanusError
    from serving.description import write_description
    from serving.errors import RequestError
    from serving.rows import example_of_row
    from serving.server.manager import _load_version
    from serving.warmup import write_warmup
    from tests.serving.server.page_fixtures import DESCRIPTION
    from tests.serving.server.tiny_model import save_model

    original = folder / "original"
    if not original.exists():
        save_model(original, 0.0)
        write_description(original, DESCRIPTION)
        write_warmup(original, [example_of_row(DESCRIPTION, {"distance": 1.0, "carrier": "UA", "stops": 2})])
    names = sorted(str(path.relative_to(original)) for path in original.rglob("*") if path.is_file())

    def case(random: Random) -> str:
        copy = folder / "1"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(original, copy)
        path = copy / random.choice(names)
        kind = random.randrange(8)
        if kind == 0:
            path.unlink()
        elif kind == 1:
            path.unlink()
            path.mkdir()
        elif kind == 2:
            path.write_bytes(random.randbytes(random.randint(0, 200)))
        elif path.suffix == ".json" and random.random() < 0.7:
            path.write_text(json.dumps(reworked(json.loads(path.read_bytes()), random)))
        else:
            path.write_bytes(damaged(path.read_bytes(), random))
        try:
            served = _load_version(1, copy)
        except (RequestError, JanusError) as error:
            return _with_message(error)
        served.model.close()
        return "loaded"

    return case


def table(folder: Path) -> Case:
    """CSV, Parquet and TFRecord files as a run reads them: rows, or a DataError."""
    from tests.fuzz.tables import ingest

    rows = [
        {"a": i, "b": f"x{i % 3}", "label": "yes" if i % 2 else "no", "at": f"2024-01-{i + 1:02d}"} for i in range(20)
    ]
    files = {"csv": _csv(rows), "parquet": _parquet(rows), "tfrecord": _tfrecord(rows, folder)}
    options: list[dict[str, Any]] = [
        *({}, {}, {}, {"delimiter": "semicolon"}, {"encoding": "cp1252"}, {"encoding": "utf-16"}, {"skip_rows": 2}),
        *({"skip_footer": 3}, {"escape_char": "\\"}, {"skip_initial_space": True}, {"null_values": ["x1"]}),
        *({"decimal": ","}, {"thousands": ","}, {"split": {"by": "time", "column": "at", "eval_from": "2024-01-15"}}),
        {"split": {"by": "hash", "eval_fraction": 0.4, "key": ["b"]}},
    ]

    def case(random: Random) -> str:
        form = random.choice(["csv", "csv", "csv", "parquet", "tfrecord"])
        data = folder / "data"
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        content = files[form]
        if random.random() < 0.9:
            content = damaged(content, random)
        name = {"csv": "t.csv", "parquet": "t.parquet", "tfrecord": "t.tfrecord"}[form]
        if form == "csv" and random.random() < 0.15:
            name += ".gz"
            content = gzip.compress(content, mtime=0)
            content = damaged(content, random) if random.random() < 0.5 else content
        (data / name).write_bytes(content)
        if random.random() < 0.1:
            (data / f"u{name[1:]}").write_bytes(files[form])
        return ingest(
            {"path": str(data), "format": form, **random.choice(options if form == "csv" else options[-2:])}, folder
        )

    return case


TARGETS: dict[str, Callable[[Path], Case]] = {
    "config": config,
    "rest": rest,
    "grpc": grpc,
    "table": table,
    "model": model,
}
"""Name → what prepares the cases, in a folder of their own."""


def _with_message(error: Exception) -> str:
    if not str(error).strip():
        raise BrokenError(f"{type(error).__name__} without a message")
    return type(error).__name__


class _AbortedError(Exception):
    """As gRPC's own."""


class _Context:
    code = details = ""

    def abort(self, code: Any, details: str) -> None:
        self.code, self.details = code.name, details
        raise _AbortedError


def _inference(folder: Path) -> Any:
    from serving.server.inference import Inference
    from serving.server.manager import ModelManager
    from tests.serving.server.tiny_model import save_model

    if not (folder / "served").exists():
        save_model(folder / "served" / "1", 0.0)
    manager = ModelManager("tiny", folder / "served", labels={"stable": 1})
    manager.poll()
    return Inference(manager)


def _distort(tensor: Any, random: Random) -> None:
    """Another dtype, other sizes, or values where none belong."""
    kind = random.randrange(4)
    if kind == 0:
        tensor.dtype = random.choice([*range(27), 101, -1])
    elif kind == 1:
        del tensor.tensor_shape.dim[:]
        for size in random.choices([-1, 0, 1, 2, 3, 2**16, 2**31, 2**62], k=random.choice([0, 1, 1, 2, 3, 40, 300])):
            tensor.tensor_shape.dim.add(size=size)
    elif kind == 2:
        tensor.tensor_content = random.randbytes(random.choice([0, 1, 4, 8, 16]))
    else:
        tensor.tensor_shape.unknown_rank = True


def _csv(rows: list[dict[str, Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def _parquet(rows: list[dict[str, Any]]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=8)
    return sink.getvalue()


def _tfrecord(rows: list[dict[str, Any]], folder: Path) -> bytes:
    import tensorflow as tf

    from tests.serving.server.requests import example

    path = folder / "rows.tfrecord"
    with tf.io.TFRecordWriter(str(path)) as writer:
        for row in rows:
            writer.write(example(**row).SerializeToString())
    return path.read_bytes()
