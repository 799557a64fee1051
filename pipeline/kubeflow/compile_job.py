"""`janus kubeflow compile`."""

import tempfile
from pathlib import Path

from pipeline.config import JanusConfig
from pipeline.environment import library_output_to
from pipeline.kubeflow.bundle import required, write_bundle
from pipeline.preflight import check_schema_file
from trainer.errors import ConfigError

BUNDLE = "bundle"
"""Name of the bundle's folder, beside the YAML."""


def run_compile_job(config: JanusConfig, output: Path | None, verbose: bool = False) -> int:
    """Writes the YAML and the bundle, and returns the exit code.

    Raises:
        ConfigError: there is no `kubeflow` section, or a path has no meaning in a container.
        DataError: the curated schema does not fit the configuration.
    """
    kubeflow = required(config)
    path = output or Path("deploy/kubeflow") / config.name / "pipeline.yaml"
    if path.suffix not in (".yaml", ".yml"):
        raise ConfigError(f"--output {path}: the name of KFP's pipeline must end in .yaml")
    check_schema_file(config)
    with tempfile.TemporaryDirectory() as folder, library_output_to(Path(folder) / "log", verbose) as terminal:
        from pipeline.kubeflow.compile import compile_pipeline

        path.parent.mkdir(parents=True, exist_ok=True)
        bundle = write_bundle(config, path.parent / BUNDLE)
        compile_pipeline(bundle, path)
        where = f"the ConfigMap {kubeflow.bundle_config_map}" if kubeflow.bundle_config_map else "the image"
        print(
            f"{path}: {len(bundle.ir.nodes)} tasks and the report\n"
            f"{path.parent / BUNDLE}: {where} must hold it as {kubeflow.bundle} (digest {bundle.digest[:12]})",
            file=terminal.out,
        )
    return 0
