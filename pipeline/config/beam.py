"""Where Beam runs: the `beam` section of the configuration. The profiles' keys are named as Beam's options."""

import json
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from trainer.config import Count, StrictModel, reject_bool

Endpoint = Annotated[str, Field(pattern=r"^[^\s/:]+:[0-9]{1,5}$")]
"""host:port"""
CloudStorage = Annotated[str, Field(pattern=r"^gs://.+")]
Whole = Annotated[int, BeforeValidator(reject_bool), Field(ge=0)]

INSTALLED = "janus"
"""Stands for the image of workers that are started by other means than Beam's, and so have Janus installed.

TFX packs a copy of itself for remote workers before every component, for seconds, unless an argument tells where its
code comes from. The copy would be of no use: it lacks Janus, whose executors and functions the workers run.
"""

WORKERS_CODE = (
    "--sdk_container_image",
    "--worker_harness_container_image",
    "--setup_file",
    "--requirements_file",
    "--extra_package",
    "--extra_packages",
)
"""Arguments that tell TFX that workers get their code by them."""

WORKERS_ENVIRONMENT = {"TF_USE_LEGACY_KERAS": "0"}
"""What `pipeline.environment.prepare` sets, for processes that do not pass there; the image has it too."""


class DirectProfile(StrictModel):
    """Beam in this process, or in worker processes on this machine."""

    direct_num_workers: Whole = Field(1, description="1: this process does the work; 0: a worker per core.")
    direct_running_mode: Literal["multi_processing", "multi_threading"] = Field(
        "multi_processing", description="What several workers are."
    )

    def arguments(self) -> list[str]:
        """None for one worker: that is Beam's default, and the fastest for what fits one machine."""
        return [] if self.direct_num_workers == 1 else _options(self)


class ProcessCommand(StrictModel):
    """How a worker process is started, with environment_type PROCESS."""

    command: str = Field(description="An executable of every worker machine that takes the arguments of Beam's boot.")
    env: dict[str, str] = Field({}, description="Environment variables of the worker.")


class _JobServerProfile(StrictModel):
    runner: str
    job_endpoint: Endpoint | None = Field(None, description="The job server's host:port; None: Beam starts one.")
    artifact_endpoint: Endpoint | None = Field(None, description="Where files are staged, if not where it says.")
    job_server_timeout: Count | None = Field(None, description="Of a request to the job server, in seconds.")
    environment_type: Literal["DOCKER", "PROCESS", "EXTERNAL", "LOOPBACK"] = Field(
        "EXTERNAL", description="How workers start: a container, a process, or a worker pool that runs already."
    )
    environment_config: str | ProcessCommand | None = Field(
        None, description="DOCKER: the image. PROCESS: command and env. EXTERNAL: the worker pool's host:port."
    )
    environment_cache_millis: Whole | None = Field(
        60_000, description="How long an idle worker waits for more work: a new one imports TensorFlow first."
    )
    sdk_worker_parallelism: Whole | None = Field(None, description="Worker processes on each worker machine.")

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
        """Of Beam's PipelineOptions."""
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

    runner: Literal["PortableRunner"] = Field("PortableRunner", description="Beam's runner.")
    job_endpoint: Endpoint = Field(description="The job server's host:port.")


class FlinkProfile(_JobServerProfile):
    """An Apache Flink cluster."""

    runner: Literal["FlinkRunner"] = Field("FlinkRunner", description="Beam's runner.")
    flink_master: Endpoint | None = Field(
        None, description="Flink's REST host:port; only where Beam starts the job server, which takes Java and its JAR."
    )
    flink_version: str | None = Field(None, description="Of the cluster, where Beam starts the job server.")
    parallelism: Count | None = Field(None, description="Parallel instances of each operation.")
    max_parallelism: Count | None = Field(None, description="To which a job could be rescaled.")

    @model_validator(mode="after")
    def _cluster_is_named(self) -> "FlinkProfile":
        if self.job_endpoint is None and self.flink_master is None:
            raise ValueError("give job_endpoint (a job server that runs) or flink_master (Beam starts one)")
        return self


class SparkProfile(_JobServerProfile):
    """An Apache Spark cluster."""

    runner: Literal["SparkRunner"] = Field("SparkRunner", description="Beam's runner.")
    spark_master_url: Annotated[str, Field(pattern=r"^spark://[^\s/:]+:[0-9]{1,5}$")] | None = Field(
        None, description="spark://host:port; only where Beam starts the job server, which takes Java and its JAR."
    )

    @model_validator(mode="after")
    def _cluster_is_named(self) -> "SparkProfile":
        if self.job_endpoint is None and self.spark_master_url is None:
            raise ValueError("give job_endpoint (a job server that runs) or spark_master_url (Beam starts one)")
        return self


class DataflowProfile(StrictModel):
    """Google Cloud Dataflow."""

    runner: Literal["DataflowRunner"] = Field("DataflowRunner", description="Beam's runner.")
    project: str = Field(min_length=1, description="The project's id.")
    region: str = Field(min_length=1, description="Where the workers are.")
    temp_location: CloudStorage = Field(description="gs://bucket/folder for what jobs stage and spill.")
    staging_location: CloudStorage | None = Field(None, description="If not in temp_location.")
    sdk_container_image: str = Field(min_length=1, description="The worker image, with Janus and Beam's boot.")
    service_account_email: str | None = Field(None, description="That the workers run as.")
    num_workers: Count | None = Field(None, description="To start with.")
    max_num_workers: Count | None = Field(None, description="To which Dataflow may scale.")
    worker_machine_type: str | None = Field(None, description="Such as n2-standard-4.")
    disk_size_gb: Count | None = Field(None, description="Of each worker.")
    network: str | None = Field(None, description="The workers' VPC network, if not the default one.")
    subnetwork: str | None = Field(None, description="regions/<region>/subnetworks/<name>, for the workers.")
    no_use_public_ips: bool = Field(False, description="Workers have private addresses only.")
    dataflow_service_options: list[str] = Field([], description="Features of the service, such as enable_prime.")

    def arguments(self) -> list[str]:
        """Of Beam's PipelineOptions."""
        return _options(self)


Profile = DirectProfile | PortableProfile | FlinkProfile | SparkProfile | DataflowProfile


class BeamConfig(StrictModel):
    """Where and how the components' Beam pipelines run."""

    profile: Literal["direct", "portable", "flink", "spark", "dataflow"] = Field(
        "direct", description="Which of the sections below is in force; the others wait."
    )
    direct: DirectProfile = DirectProfile()
    portable: PortableProfile | None = None
    flink: FlinkProfile | None = None
    spark: SparkProfile | None = None
    dataflow: DataflowProfile | None = None
    args: list[str] = Field([], description="Beam arguments that follow the profile's, and win over them.")

    @field_validator("args")
    @classmethod
    def _args_are_options(cls, args: list[str]) -> list[str]:
        if args and not args[0].startswith("-"):
            raise ValueError(f"'{args[0]}' is no option: Beam's arguments look like --runner=FlinkRunner")
        return args

    @model_validator(mode="after")
    def _profile_is_there(self) -> "BeamConfig":
        if getattr(self, self.profile) is None:
            raise ValueError(f"profile '{self.profile}' needs its section, beam.{self.profile}")
        return self

    def arguments(self) -> list[str]:
        """The arguments of every Beam pipeline; none at all where this process does the work."""
        chosen: Profile = getattr(self, self.profile)
        arguments = [*chosen.arguments(), *self.args]
        told = any(argument.partition("=")[0] in WORKERS_CODE for argument in arguments)
        return arguments if told or not arguments else [*arguments, f"--sdk_container_image={INSTALLED}"]


def _options(profile: StrictModel, without: tuple[str, ...] = ()) -> list[str]:
    """`--key=value` of every key that is set."""
    return [option for name, value in profile if name not in without for option in _option(name, value)]


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}"] if value else []
    if isinstance(value, list):
        return [f"--{name}={entry}" for entry in value]
    return [] if value is None else [f"--{name}={value}"]
