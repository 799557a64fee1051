"""The check of Beam's arguments, by Beam's own parser and a job server."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import portpicker
import pytest
from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

from janus_core.errors import ConfigError, JanusError
from pipeline.beam import check_arguments, check_places
from pipeline.config.beam import BeamConfig
from pipeline.home import Home
from pipeline.preflight import check_beam
from tests.pipeline.config.test_beam import DATAFLOW, FLINK
from tests.pipeline.small import small_config

JOB = ["--runner=FlinkRunner", "--job_endpoint=jobs:8099"]
POOL = ["--environment_type=EXTERNAL", "--environment_config=localhost:50000"]


class _JobServer(beam_job_api_pb2_grpc.JobServiceServicer):
    def DescribePipelineOptions(  # noqa: N802 - the API's name
        self, request: object, context: object
    ) -> beam_job_api_pb2.DescribePipelineOptionsResponse:
        kinds = beam_job_api_pb2.PipelineOptionType
        options = [
            ("object_reuse", kinds.BOOLEAN, "false"),
            ("number_of_execution_retries", kinds.INTEGER, "-1"),
            ("files_to_keep", kinds.ARRAY, ""),
            ("parallelism", kinds.INTEGER, "-1"),
        ]
        return beam_job_api_pb2.DescribePipelineOptionsResponse(
            options=[
                beam_job_api_pb2.PipelineOptionDescriptor(name=name, type=kind, default_value=default)
                for name, kind, default in options
            ]
        )


@pytest.fixture
def job_server() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    beam_job_api_pb2_grpc.add_JobServiceServicer_to_server(_JobServer(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    server.stop(None)


@pytest.mark.parametrize(
    "raw",
    [
        {},
        {"direct": {"direct_num_workers": 2}},
        {"profile": "flink", "flink": {**FLINK, "parallelism": 4, "max_parallelism": 64}},
        {"profile": "flink", "flink": {"flink_master": "flink:8081", "environment_config": "localhost:50000"}},
        {"profile": "spark", "spark": {**FLINK, "environment_type": "DOCKER", "environment_config": "image:1"}},
        {"profile": "spark", "spark": {"spark_master_url": "spark://s:7077", "environment_config": "localhost:5"}},
        {
            "profile": "portable",
            "portable": {
                "job_endpoint": "jobs:8099",
                "environment_type": "PROCESS",
                "environment_config": {"command": "/opt/apache/beam/boot"},
                "job_server_timeout": 30,
                "sdk_worker_parallelism": 0,
            },
        },
        {"profile": "portable", "portable": {"job_endpoint": "jobs:8099", "environment_type": "LOOPBACK"}},
        {
            "profile": "dataflow",
            "dataflow": {
                **DATAFLOW,
                "staging_location": "gs://bucket/staging",
                "service_account_email": "janus@flights.iam.gserviceaccount.com",
                "num_workers": 1,
                "max_num_workers": 8,
                "worker_machine_type": "n2-standard-4",
                "disk_size_gb": 50,
                "network": "default",
                "subnetwork": "regions/europe-west4/subnetworks/default",
                "no_use_public_ips": True,
                "dataflow_service_options": ["enable_prime"],
            },
        },
    ],
)
def test_beam_takes_what_every_profile_gives(raw: dict) -> None:
    assert check_arguments(BeamConfig.model_validate(raw).arguments(), connect=False) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([*JOB, *POOL, "--paralelism=4"], r"no Beam option --paralelism: did you mean --parallelism\?"),
        ([*JOB, *POOL, "--object-reuse"], "no Beam option --object-reuse"),
        ([*JOB, *POOL, "--parallelism=four"], "argument --parallelism: invalid int value: 'four'"),
        ([*JOB, *POOL, "--parallelism 4"], "write --parallelism=4"),
        ([*JOB, *POOL, "--streaming", "yes"], "'yes' belongs to no option"),
        (["--runner=FlinkRuner"], "no runner 'FlinkRuner': did you mean FlinkRunner"),
        (["--direct_running_mode=multi"], "argument --direct_running_mode: invalid choice: 'multi'"),
        (["--runner=PortableRunner", *POOL], "needs --job_endpoint"),
        (JOB, "Beam's own image, which has no Janus"),
        (["--runner=SparkRunner"], "Beam's own image, which has no Janus"),
        ([*JOB, "--environment_type=PROCESS"], "process_command is required"),
        ([*JOB, "--environment_type=PROCESS", "--environment_config=/opt/boot"], "PROCESS takes JSON"),
        ([*JOB, "--environment_type=EXTERNAL", "--environment_config=pool"], "EXTERNAL takes the worker pool's"),
        (["--runner=DataflowRunner", "--sdk_container_image=janus"], "Dataflow needs --project.*--sdk_container_image"),
        (["--runner=DataflowRunner", "--temp_location=/tmp"], "Dataflow takes gs://bucket/folder"),
    ],
)
def test_what_is_wrong_is_told_with_a_remedy(arguments: list[str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_arguments(arguments, connect=False)


def test_the_job_servers_own_options_are_known(job_server: str) -> None:
    arguments = ["--runner=FlinkRunner", f"--job_endpoint={job_server}", *POOL, "--parallelism=2"]
    of_server = check_arguments([*arguments, "--object_reuse", "--files_to_keep=a", "--files_to_keep=b"])
    assert of_server == ["object_reuse", "number_of_execution_retries", "files_to_keep", "parallelism"]
    with pytest.raises(ConfigError, match="did you mean --object_reuse"):
        check_arguments([*arguments, "--object_reuze"])
    with pytest.raises(ConfigError, match="number_of_execution_retries: invalid int value: 'x'"):
        check_arguments([*arguments, "--number_of_execution_retries=x"])


def test_a_job_server_that_does_not_answer_is_told() -> None:
    endpoint = f"localhost:{portpicker.pick_unused_port()}"
    with pytest.raises(JanusError, match=rf"job_endpoint {endpoint}: no Beam job server answers \(UNAVAILABLE\)"):
        check_arguments(["--runner=FlinkRunner", f"--job_endpoint={endpoint}", *POOL])


def test_another_server_is_told() -> None:
    server = grpc.server(ThreadPoolExecutor(1))
    endpoint = f"localhost:{server.add_insecure_port('localhost:0')}"
    server.start()
    try:
        with pytest.raises(JanusError, match="what answers there is no Beam job server"):
            check_arguments(["--runner=FlinkRunner", f"--job_endpoint={endpoint}", *POOL])
    finally:
        server.stop(None)


def test_dataflow_needs_files_in_the_cloud() -> None:
    arguments = BeamConfig.model_validate({"profile": "dataflow", "dataflow": DATAFLOW}).arguments()
    check_places(arguments, {"data.path": "gs://bucket/data", "the pipeline root": "gs://bucket/root"})
    with pytest.raises(ConfigError, match="cannot see the pipeline root 'runs/small/root'"):
        check_places(arguments, {"data.path": "gs://bucket/data", "the pipeline root": "runs/small/root"})
    check_places([*JOB, *POOL], {"the pipeline root": "runs/small/root"})


def test_a_run_is_refused_before_it_starts(tmp_path) -> None:
    check_beam(small_config(tmp_path), Home("small"))
    wrong = small_config(tmp_path, beam={"args": ["--runer=FlinkRunner"]})
    with pytest.raises(ConfigError, match="did you mean --runner"):
        check_beam(wrong, Home("small"))
    with pytest.raises(ConfigError, match="Dataflow's workers cannot see"):
        check_beam(small_config(tmp_path, beam={"profile": "dataflow", "dataflow": DATAFLOW}), Home("small"))
