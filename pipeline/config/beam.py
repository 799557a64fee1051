"""The `beam` section of the configuration: where Beam runs. The profiles' keys are named as Beam's options."""

import json
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from janus_core.strict import Count, StrictModel, Whole

Endpoint = Annotated[str, Field(pattern=r"^[^\s/:]+:[0-9]{1,5}$")]
"""host:port"""
CloudStorage = Annotated[str, Field(pattern=r"^gs://.+")]

INSTALLED = "janus"
"""The image's name where workers are not started by Beam, and therefore have Janus installed already.

TFX packs a copy of itself for remote workers before every component, which takes seconds, unless an argument names the
source of the workers' code. The copy would be of no use: it lacks Janus, whose executors and functions the workers run.
"""

WORKERS_CODE = (
    "--sdk_container_image",
    "--worker_harness_container_image",
    "--setup_file",
    "--requirements_file",
    "--extra_package",
    "--extra_packages",
)
"""Arguments by which workers get their code, so that TFX does not pack a copy of itself."""

WORKERS_ENVIRONMENT = {"TF_USE_LEGACY_KERAS": "0"}
"""The variable that `pipeline.environment.prepare` sets, for processes that do not call it; the image sets it too."""


class DirectProfile(StrictModel):
    """Beam in this process, or in worker processes on this machine."""

    direct_num_workers: Whole = Field(
        1, description="The number of workers. With 1, this process does the work; 0 means a worker per core."
    )
    direct_running_mode: Literal["multi_processing", "multi_threading"] = Field(
        "multi_processing", description="Whether several workers are processes or threads."
    )

    def arguments(self) -> list[str]:
        """None for one worker, which is Beam's default, and the fastest for tables that fit one machine."""
        return [] if self.direct_num_workers == 1 else _options(self)


class ProcessCommand(StrictModel):
    """How a worker process is started, with environment_type PROCESS."""

    command: str = Field(description="An executable on every worker machine that takes the arguments of Beam's boot.")
    env: dict[str, str] = Field({}, description="The worker's environment variables.")


class _JobServerProfile(StrictModel):
    runner: str
    job_endpoint: Endpoint | None = Field(None, description="The job server's host:port. By default, Beam starts one.")
    artifact_endpoint: Endpoint | None = Field(
        None,
        description="The host:port where files are staged, if it differs from the one that the job server reports.",
    )
    job_server_timeout: Count | None = Field(
        None, description="The time limit of a request to the job server, in seconds."
    )
    environment_type: Literal["DOCKER", "PROCESS", "EXTERNAL", "LOOPBACK"] = Field(
        "EXTERNAL",
        description="How workers are started: in a container (DOCKER), as a process (PROCESS), by a worker pool that "
        "is already running (EXTERNAL), or as this process (LOOPBACK).",
    )
    environment_config: str | ProcessCommand | None = Field(
        None,
        description="For DOCKER, the image; for PROCESS, command and env; for EXTERNAL, the worker pool's host:port.",
    )
    environment_cache_millis: Whole | None = Field(
        60_000,
        description="Milliseconds for which an idle worker is kept, since a new one has to import TensorFlow first.",
    )
    sdk_worker_parallelism: Whole | None = Field(
        None, description="The number of worker processes on each worker machine."
    )

    @model_validator(mode="after")
    def _environment_fits(self) -> "_JobServerProfile":
        kind, config = self.environment_type, self.environment_config
        wanted = {"DOCKER": "the image that holds Janus", "EXTERNAL": "the worker pool's host:port"}.get(kind)
        if wanted and not (isinstance(config, str) and config):
            raise ValueError(f"environment_type {kind} needs environment_config: {wanted}")
        if kind == "PROCESS" and not isinstance(config, ProcessCommand):
            raise ValueError("environment_type PROCESS needs environment_config with `command`, which starts a worker")
        if kind == "LOOPBACK" and config is not None:
            raise ValueError("environment_type LOOPBACK takes no environment_config: this process is the worker")
        return self

    def arguments(self) -> list[str]:
        """The arguments of Beam's PipelineOptions."""
        config = self.environment_config
        if isinstance(config, ProcessCommand):
            process = {"command": config.command, "env": {**WORKERS_ENVIRONMENT, **config.env}}
            environment = [f"--environment_config={json.dumps(process)}"]
        else:
            environment = [] if config is None else [f"--environment_config={config}"]
        image = [f"--sdk_container_image={config}"] if self.environment_type == "DOCKER" else []
        return [*_options(self, without=("environment_config",)), *environment, *image]


class PortableProfile(_JobServerProfile):
    """Any runner behind a Beam job server."""

    runner: Literal["PortableRunner"] = Field("PortableRunner", description="The name of Beam's runner.")
    job_endpoint: Endpoint = Field(description="The job server's host:port.")


class FlinkProfile(_JobServerProfile):
    """An Apache Flink cluster."""

    runner: Literal["FlinkRunner"] = Field("FlinkRunner", description="The name of Beam's runner.")
    flink_master: Endpoint | None = Field(
        None, description="Flink's REST host:port, where Beam starts the job server, which requires Java and its JAR."
    )
    flink_version: str | None = Field(None, description="The cluster's version, where Beam starts the job server.")
    parallelism: Count | None = Field(None, description="The number of parallel instances of each operation.")
    max_parallelism: Count | None = Field(
        None, description="The greatest parallelism to which a job could be rescaled."
    )

    @model_validator(mode="after")
    def _cluster_is_named(self) -> "FlinkProfile":
        if self.job_endpoint is None and self.flink_master is None:
            raise ValueError("give job_endpoint (a job server that runs) or flink_master (Beam starts one)")
        return self


class SparkProfile(_JobServerProfile):
    """An Apache Spark cluster."""

    runner: Literal["SparkRunner"] = Field("SparkRunner", description="The name of Beam's runner.")
    spark_master_url: Annotated[str, Field(pattern=r"^spark://[^\s/:]+:[0-9]{1,5}$")] | None = Field(
        None, description="spark://host:port, where Beam starts the job server, which requires Java and its JAR."
    )

    @model_validator(mode="after")
    def _cluster_is_named(self) -> "SparkProfile":
        if self.job_endpoint is None and self.spark_master_url is None:
            raise ValueError("give job_endpoint (a job server that runs) or spark_master_url (Beam starts one)")
        return self


class DataflowProfile(StrictModel):
    """Google Cloud Dataflow."""

    runner: Literal["DataflowRunner"] = Field("DataflowRunner", description="The name of Beam's runner.")
    project: str = Field(min_length=1, description="The id of the Google Cloud project.")
    region: str = Field(min_length=1, description="The region of the workers.")
    temp_location: CloudStorage = Field(description="gs://bucket/folder for temporary files of the jobs.")
    staging_location: CloudStorage | None = Field(
        None, description="gs://bucket/folder for staged files. By default, they are in temp_location."
    )
    sdk_container_image: str = Field(
        min_length=1, description="The workers' image, which must contain Janus and Beam's boot."
    )
    service_account_email: str | None = Field(None, description="The service account of the workers.")
    num_workers: Count | None = Field(None, description="The number of workers at the start.")
    max_num_workers: Count | None = Field(
        None, description="The greatest number of workers to which Dataflow may scale."
    )
    worker_machine_type: str | None = Field(None, description="The workers' machine type, such as n2-standard-4.")
    disk_size_gb: Count | None = Field(None, description="The disk size of each worker, in GB.")
    network: str | None = Field(
        None, description="The workers' VPC network. By default, the project's default network is used."
    )
    subnetwork: str | None = Field(None, description="The workers' subnetwork, as regions/<region>/subnetworks/<name>.")
    no_use_public_ips: bool = Field(False, description="Whether workers have private addresses only.")
    dataflow_service_options: list[str] = Field(
        [], description="Options of the Dataflow service, such as enable_prime."
    )

    def arguments(self) -> list[str]:
        """The arguments of Beam's PipelineOptions."""
        return _options(self)


Profile = DirectProfile | PortableProfile | FlinkProfile | SparkProfile | DataflowProfile


class BeamConfig(StrictModel):
    """Where and how the components' Beam pipelines run."""

    profile: Literal["direct", "portable", "flink", "spark", "dataflow"] = Field(
        "direct", description="Which of the sections below is used. The others are ignored."
    )
    direct: DirectProfile = DirectProfile()
    portable: PortableProfile | None = None
    flink: FlinkProfile | None = None
    spark: SparkProfile | None = None
    dataflow: DataflowProfile | None = None
    args: list[str] = Field(
        [], description="Beam arguments that are added after those of the profile, and override them."
    )

    @field_validator("args")
    @classmethod
    def _args_are_options(cls, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-"):
            raise ValueError(f"'{args[0]}' is not an option: Beam's arguments look like --runner=FlinkRunner")
        return args

    @model_validator(mode="after")
    def _profile_is_there(self) -> "BeamConfig":
        if getattr(self, self.profile) is None:
            raise ValueError(f"profile '{self.profile}' needs its section, beam.{self.profile}")
        return self

    def arguments(self) -> list[str]:
        """The arguments of every Beam pipeline; none if this process does the work."""
        chosen: Profile = getattr(self, self.profile)
        arguments = [*chosen.arguments(), *self.args]
        has_code = any(argument.partition("=")[0] in WORKERS_CODE for argument in arguments)
        return arguments if has_code or not arguments else [*arguments, f"--sdk_container_image={INSTALLED}"]


def _options(profile: StrictModel, without: tuple[str, ...] = ()) -> list[str]:
    """`--key=value` of every key that is set."""
    return [option for name, value in profile if name not in without for option in _option(name, value)]


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}"] if value else []
    if isinstance(value, list):
        return [f"--{name}={entry}" for entry in value]
    return [] if value is None else [f"--{name}={value}"]
