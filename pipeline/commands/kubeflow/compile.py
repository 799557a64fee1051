"""`janus kubeflow compile`: writes the YAML and the bundle."""

import tempfile
from pathlib import Path

from janus_core.errors import ConfigError
from pipeline.config import JanusConfig
from pipeline.environment import Terminal, library_output_to
from pipeline.kubeflow.bundle import FOLDER, default_output, required, unpinned_note, write_bundle
from pipeline.preflight import check_schema_file


def run_compile_job(config: JanusConfig, output: Path | None, verbose: bool = False, target: str = "kubeflow") -> int:
    """Writes the YAML and the bundle, and returns the exit code.

    Raises:
        ConfigError: there is no `kubeflow` section, a path has no meaning in a container, or Vertex AI cannot do what
            the configuration asks for.
        DataError: the curated schema does not fit the configuration.
    """
    required(config)
    path = output or default_output(config, target)
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"--output {path}: the name of KFP's pipeline must end in .yaml")
    check_schema_file(config)
    with tempfile.TemporaryDirectory() as folder, library_output_to(Path(folder) / "log", verbose) as terminal:
        path.parent.mkdir(parents=True, exist_ok=True)
        write = _for_vertex if target == "vertex" else _for_kubeflow
        write(config, path, terminal)
    return 0


def _for_kubeflow(config: JanusConfig, path: Path, terminal: Terminal) -> None:
    from pipeline.kubeflow.compile import compile_pipeline

    kubeflow = required(config)
    bundle = write_bundle(config, path.parent / FOLDER)
    compile_pipeline(bundle, path)
    where = f"the ConfigMap {kubeflow.bundle_config_map}" if kubeflow.bundle_config_map else "the image"
    print(
        f"{path}: {len(bundle.ir.nodes)} tasks and the report\n"
        f"{path.parent / FOLDER}: {where} must hold it as {kubeflow.bundle} (digest {bundle.digest[:12]})",
        file=terminal.out,
    )
    if note := unpinned_note(kubeflow):
        print(note, file=terminal.out)


def _for_vertex(config: JanusConfig, path: Path, terminal: Terminal) -> None:
    from pipeline.kubeflow.vertex import HEADER, compile_for_vertex

    tasks = compile_for_vertex(config, path, path.parent / FOLDER)
    print(f"{path}: {tasks} tasks, for Vertex AI only", file=terminal.out)
    print(HEADER.replace("# ", "").rstrip(), file=terminal.out)
    if config.schema_ is not None:
        print(
            f"{path.parent / FOLDER}: the image must hold it as {required(config).bundle}, for the schema",
            file=terminal.out,
        )
