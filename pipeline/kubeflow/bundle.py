"""What a step needs besides the image's code: TFX's intermediate representation, the configuration, the schema.

A folder that `janus kubeflow compile` writes, and that the image, a volume or a ConfigMap holds: an argument of a
container is limited to 128 KiB, which a large table's pipeline exceeds. There are no folders in it, since the keys of a
ConfigMap have no slashes.
"""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from pydantic import ValidationError

from janus_core.errors import ConfigError
from janus_core.files import replacing
from pipeline.config import JanusConfig
from pipeline.config.file import parse_config
from pipeline.config.kubeflow import KubeflowConfig

IR_FILE, CONFIG_FILE = "ir.json", "config.json"
FOLDER = "bundle"
"""The folder's name, beside the compiled YAML."""


@dataclass(frozen=True)
class Bundle:
    """TFX's pipeline_pb2.Pipeline, the configuration that it was compiled from, and the digest of both files."""

    ir: Any
    config: JanusConfig
    digest: str


def compile_ir(config: JanusConfig, schemas: Path, span: int | None = None) -> Any:
    """The pipeline as it runs in the cluster, a pipeline_pb2.Pipeline, of a configuration that `in_cluster` returned.

    The folder `schemas`, part of the bundle, is given the curated schema's copy if it has none yet.
    """
    from tfx.dsl.compiler import compiler

    from pipeline.dag import Places, create_pipeline

    kubeflow = required(config)
    home = kubeflow.pipeline_root.rpartition("/")[0]
    local = "://" not in kubeflow.pipeline_root
    places = Places(
        root=kubeflow.pipeline_root,
        metadata=None,
        schemas=schemas,
        schemas_at=kubeflow.bundle,
        checkpoints=f"{home}/checkpoints" if local else None,
        analyzer_cache=f"{home}/analyzer_cache" if local else None,
        tunings=f"{home}/tunings" if local else None,
    )
    return compiler.Compiler().compile(create_pipeline(config, places, span))


def unpinned_note(kubeflow: KubeflowConfig) -> str | None:
    """That the image is named by a tag alone; None where it has a digest."""
    if "@sha256:" in kubeflow.image:
        return None
    named = f"{kubeflow.image} (kubeflow.image) is named without a digest"
    return f"{named}: whoever may push to its tag changes what the steps run"


def default_output(config: JanusConfig, target: str = "kubeflow") -> Path:
    """Where `compile` writes the YAML unless `--output` names another file."""
    return Path("deploy") / target / config.name / "pipeline.yaml"


def in_cluster(config: JanusConfig) -> JanusConfig:
    """The configuration with the containers' paths.

    Raises:
        ConfigError: there is no `kubeflow` section, or a path has no meaning in a container.
    """
    kubeflow = required(config)
    data = kubeflow.data_path or config.data.path
    push = kubeflow.push_path or config.push.path
    for key, path in (("data", data), ("push", push)):
        if not (path.startswith("/") or "://" in path):
            raise ConfigError(
                f"{key}.path '{path}' is relative and means nothing in a container: "
                f"give kubeflow.{key}_path, a path in a mounted volume or a URL"
            )
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"path": data}),
            "push": config.push.model_copy(update={"path": push}),
        }
    )


def required(config: JanusConfig) -> KubeflowConfig:
    """The `kubeflow` section.

    Raises:
        ConfigError: there is none.
    """
    if config.kubeflow is None:
        raise ConfigError(
            "the configuration has no `kubeflow` section: image, pipeline_root and metadata say where it runs "
            "(docs/kubeflow.md)"
        )
    return config.kubeflow


def write_bundle(config: JanusConfig, folder: Path) -> Bundle:
    """Compiles, and writes the folder whole or not at all; the same configuration gives the same bytes."""
    with replacing(folder) as staging:
        staging.mkdir()
        ours = in_cluster(config)
        ir = compile_ir(ours, staging)
        content = json_format.MessageToDict(ir, preserving_proto_field_name=True)
        # The order of a message's maps is not fixed; that of the configuration's features and tasks has a meaning.
        _write_json(staging / IR_FILE, content, sort_keys=True)
        for schema in staging.glob("*.pbtxt"):
            ours = ours.model_copy(update={"schema_": f"{required(config).bundle}/{schema.name}"})
        _write_json(staging / CONFIG_FILE, ours.model_dump(mode="json", by_alias=True, exclude_none=True))
    return Bundle(ir, ours, digest_of(folder))


def read_bundle(folder: Path, digest: str | None = None) -> Bundle:
    """Reads a bundle, which must have the digest that the Kubeflow pipeline was compiled with, if that is given.

    Raises:
        ConfigError: it is missing, damaged, or not the one that was compiled.
    """
    # The types inside the representation's `Any` messages must be imported before it is parsed.
    from tfx.proto.orchestration import executable_spec_pb2, metadata_pb2, pipeline_pb2  # noqa: F401

    try:
        actual = digest_of(folder)
        ir = json_format.ParseDict(json.loads((folder / IR_FILE).read_text("utf-8")), pipeline_pb2.Pipeline())
        config = parse_config(json.loads((folder / CONFIG_FILE).read_text("utf-8")))
    except FileNotFoundError as error:
        raise ConfigError(
            f"{error.filename} is missing: build the bundle into the image (`make image`), or mount it there"
        ) from error
    except (json.JSONDecodeError, json_format.ParseError, ValidationError) as error:
        raise ConfigError(f"the bundle in {folder} is damaged: compile it again. {error}") from error
    if digest is not None and actual != digest:
        raise ConfigError(
            f"the bundle in {folder} has the digest {actual[:12]}, but this pipeline was compiled with {digest[:12]}: "
            "the configuration changed since. Build the image and compile again, from the same configuration"
        )
    return Bundle(ir, config, actual)


def digest_of(folder: Path) -> str:
    """SHA-256 of the bundle's files, in hexadecimal digits.

    Raises:
        FileNotFoundError: one is missing.
    """
    digest = hashlib.sha256()
    for name in (IR_FILE, CONFIG_FILE):
        content = (folder / name).read_bytes()
        digest.update(f"{name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _write_json(path: Path, content: Any, sort_keys: bool = False) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=sort_keys, ensure_ascii=False) + "\n", encoding="utf-8")
