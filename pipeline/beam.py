"""Where Beam runs: checks arguments and places before a run, by Beam's own parser and its job server."""

import argparse
import io
import json
import re
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress
from difflib import get_close_matches
from typing import Any

import grpc
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    WorkerOptions,
)
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from janus_core.errors import ConfigError, JanusError
from pipeline.config.beam import INSTALLED

ANSWER_SECONDS = 10.0
PORTABLE_RUNNERS = ("PortableRunner", "FlinkRunner", "SparkRunner")
DATAFLOW = "DataflowRunner"
CLOUD = "gs://"
EMBEDDED = "embed"
"""The job_endpoint with which Beam runs a job server in this process."""

_FLINK_HERE = ("[auto]", "[local]")


def check_arguments(arguments: Sequence[str], connect: bool = True) -> list[str]:
    """Checks the arguments of every Beam pipeline, and returns the names of the options that only the job server has.

    Args:
        connect: whether to ask the job server, if one is named, for its options; otherwise they are unknown.

    Raises:
        ConfigError: an option is unknown, misspelled, has a wrong value, or is missing.
        JanusError: the job server does not answer.
    """
    endpoint = _value(arguments, "job_endpoint")
    of_server = server_options(endpoint) if connect and endpoint and endpoint != EMBEDDED else []
    options = _parsed(arguments, of_server)
    problems = [*_runner_problems(options), *_environment_problems(options), *_dataflow_problems(options)]
    if problems:
        raise ConfigError(f"beam: {'; '.join(problems)}")
    return [option.name for option in of_server]


def server_options(endpoint: str) -> list[Any]:
    """The PipelineOptionDescriptors of a job server.

    Raises:
        JanusError: it does not answer.
    """
    with grpc.insecure_channel(endpoint) as channel:
        try:
            stub = beam_job_api_pb2_grpc.JobServiceStub(channel)
            answer = stub.DescribePipelineOptions(
                beam_job_api_pb2.DescribePipelineOptionsRequest(), timeout=ANSWER_SECONDS
            )
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise JanusError(f"job_endpoint {endpoint}: what answers there is no Beam job server") from error
            raise JanusError(
                f"job_endpoint {endpoint}: no Beam job server answers ({error.code().name}): start it, or correct "
                "beam.<profile>.job_endpoint"
            ) from error
    return list(answer.options)


def runner_of(arguments: Sequence[str]) -> str:
    """The runner's class name, without its module."""
    return (_value(arguments, "runner") or "DirectRunner").rpartition(".")[2]


def _value(arguments: Sequence[str], name: str) -> str | None:
    """A value, from a parser of this option only, since the others may be wrong."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument(f"--{name}", nargs="?", dest="value")
    value: str | None = parser.parse_known_args(list(arguments))[0].value
    return value


def _parsed(arguments: Sequence[str], of_server: Sequence[Any]) -> PipelineOptions:
    unknown: list[str] = []

    def parse(parser: Any) -> None:
        _add(parser, of_server)
        unknown.extend(parser.parse_known_args(list(arguments))[1])

    output = io.StringIO()
    try:
        with redirect_stderr(output):
            options = PipelineOptions(list(arguments))
            known = options.get_all_options(add_extra_args_fn=parse)
    except SystemExit:
        # argparse prints its usage, which is long, and then what is wrong.
        raise ConfigError(f"beam: {output.getvalue().strip().rpartition('error: ')[2]}") from None
    problems = [_unknown(argument, list(known)) for argument in unknown if argument.startswith("-")]
    if unknown and not problems:
        problems = [f"'{unknown[0]}' belongs to no option"]
    if problems:
        raise ConfigError(f"beam: {'; '.join(problems)}")
    return options


def _add(parser: Any, of_server: Sequence[Any]) -> None:
    kinds = beam_job_api_pb2.PipelineOptionType
    for option in of_server:
        how: dict[str, Any] = {"action": "append"} if option.type == kinds.ARRAY else {}
        if option.type == kinds.BOOLEAN:
            how = {"action": "store_false" if option.default_value == "true" else "store_true"}
        elif option.type == kinds.INTEGER:
            how = {"type": int}
        # Those that Beam's Python has as well are already known.
        with suppress(argparse.ArgumentError):
            parser.add_argument(f"--{option.name}", **how)


def _unknown(argument: str, known: Sequence[str]) -> str:
    name = argument.partition("=")[0]
    if " " in name:
        option, _, value = name.partition(" ")
        return f"'{argument}' is one argument: write {option}={value.strip()}"
    near = get_close_matches(name.lstrip("-").replace("-", "_"), known, n=1)
    hint = (
        f"did you mean --{near[0]}?" if near else "an option of a job server's own takes a job_endpoint that knows it"
    )
    return f"no Beam option {name}: {hint}"


def _runner_problems(options: PipelineOptions) -> list[str]:
    runner = options.view_as(StandardOptions).runner
    if runner is None or "." in runner or runner in StandardOptions.KNOWN_RUNNER_NAMES:
        return []
    near = get_close_matches(runner, StandardOptions.KNOWN_RUNNER_NAMES, n=1)
    hint = f"did you mean {near[0]}" if near else f"there are {', '.join(StandardOptions.KNOWN_RUNNER_NAMES)}"
    return [f"no runner '{runner}': {hint}"]


def _environment_problems(options: PipelineOptions) -> list[str]:
    portable = options.view_as(PortableOptions)
    # Without a runner, which would search for cloud credentials.
    problems: list[str] = list(PipelineOptionsValidator(options, None).validate())
    runner = options.view_as(StandardOptions).runner
    if runner not in PORTABLE_RUNNERS or problems:
        return problems
    kind, config = (portable.environment_type or "").upper(), portable.environment_config
    if runner == "PortableRunner" and not portable.job_endpoint:
        problems.append("--runner=PortableRunner needs --job_endpoint=host:port")
    if not kind and runner == "FlinkRunner" and options.view_as(FlinkRunnerOptions).flink_master in _FLINK_HERE:
        return problems if portable.job_endpoint is None else [*problems, _no_environment()]
    if kind in ("", "DOCKER") and not (config or portable.lookup_environment_option("docker_container_image")):
        problems.append(_no_environment())
    if kind == "PROCESS" and config:
        problems += _process_problems(config)
    if kind == "EXTERNAL" and config and not re.fullmatch(r"(\S+://)?[^\s/:]+:[0-9]{1,5}|\{.*\}", config):
        problems.append(f"--environment_config={config}: EXTERNAL takes the worker pool's host:port")
    return problems


def _no_environment() -> str:
    return (
        "workers would run in Beam's own image, which has no Janus: give --environment_type=DOCKER and "
        "--environment_config=IMAGE, or EXTERNAL and a worker pool's host:port"
    )


def _process_problems(config: str) -> list[str]:
    try:
        process = json.loads(config)
    except ValueError:
        process = None
    if isinstance(process, dict) and process.get("command"):
        return []
    return [f'--environment_config={config}: PROCESS takes JSON such as {{"command": "/opt/apache/beam/boot"}}']


def _dataflow_problems(options: PipelineOptions) -> list[str]:
    if str(options.view_as(StandardOptions).runner).rpartition(".")[2] != DATAFLOW:
        return []
    cloud = options.view_as(GoogleCloudOptions)
    values = {
        "project": cloud.project,
        "region": cloud.region,
        "temp_location": cloud.temp_location or cloud.staging_location,
        "sdk_container_image": options.view_as(WorkerOptions).sdk_container_image,
    }
    if values["sdk_container_image"] == INSTALLED:
        values["sdk_container_image"] = None
    problems = [f"Dataflow needs --{name}" for name, value in values.items() if not value]
    for name in ("temp_location", "staging_location"):
        place = getattr(cloud, name)
        if place and not place.startswith(CLOUD):
            problems.append(f"--{name}={place}: Dataflow takes gs://bucket/folder")
    return problems


def check_places(arguments: Sequence[str], places: dict[str, str]) -> None:
    """Refuses folders of this machine that the workers certainly cannot read.

    On Flink and Spark, a shared volume may be mounted at the same path everywhere, which cannot be checked here.

    Raises:
        ConfigError: Dataflow would have to read or write outside of Cloud Storage.
    """
    if runner_of(arguments) != DATAFLOW:
        return
    local = [f"{name} '{place}'" for name, place in places.items() if not place.startswith(CLOUD)]
    if local:
        raise ConfigError(
            f"beam: Dataflow's workers cannot see {', '.join(local)}: they need gs://; `janus run` keeps the pipeline "
            "root on this machine, so run on Kubeflow with kubeflow.pipeline_root and data_path in gs://"
        )
