"""Profiles, and the arguments that come of them."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config.beam import BeamConfig

FLINK = {"job_endpoint": "jobs:8099", "environment_config": "localhost:50000"}
DATAFLOW = {
    "project": "flights",
    "region": "europe-west4",
    "temp_location": "gs://bucket/tmp",
    "sdk_container_image": "registry.example/janus-beam-worker:1",
}


def arguments(**raw: Any) -> list[str]:
    return BeamConfig.model_validate(raw).arguments()


def test_one_worker_takes_no_arguments() -> None:
    assert arguments() == []
    assert arguments(direct={"direct_running_mode": "multi_threading"}) == []


def test_several_workers_here() -> None:
    assert arguments(direct={"direct_num_workers": 2}) == [
        "--direct_num_workers=2",
        "--direct_running_mode=multi_processing",
        "--sdk_container_image=janus",
    ]
    assert "--direct_num_workers=0" in arguments(direct={"direct_num_workers": 0}), "a worker per core"


def test_flink() -> None:
    found = arguments(profile="flink", flink={**FLINK, "parallelism": 4, "artifact_endpoint": "jobs:8098"})
    assert found == [
        "--runner=FlinkRunner",
        "--job_endpoint=jobs:8099",
        "--artifact_endpoint=jobs:8098",
        "--environment_type=EXTERNAL",
        "--environment_cache_millis=60000",
        "--parallelism=4",
        "--environment_config=localhost:50000",
        "--sdk_container_image=janus",
    ]


def test_a_container_is_the_place_of_the_code() -> None:
    spark = {"job_endpoint": "jobs:8099", "environment_type": "DOCKER", "environment_config": "registry.example/w:1"}
    found = arguments(profile="spark", spark=spark)
    assert found[0] == "--runner=SparkRunner"
    assert found[-2:] == ["--environment_config=registry.example/w:1", "--sdk_container_image=registry.example/w:1"]


def test_a_process_gets_what_janus_sets_for_itself() -> None:
    process = {"command": "/opt/apache/beam/boot", "env": {"TF_CPP_MIN_LOG_LEVEL": "2"}}
    portable = {"job_endpoint": "jobs:8099", "environment_type": "PROCESS", "environment_config": process}
    (config,) = (
        argument.partition("=")[2]
        for argument in arguments(profile="portable", portable=portable)
        if argument.startswith("--environment_config=")
    )
    assert json.loads(config) == {
        "command": "/opt/apache/beam/boot",
        "env": {"TF_USE_LEGACY_KERAS": "0", "TF_CPP_MIN_LOG_LEVEL": "2"},
    }


def test_dataflow() -> None:
    more = {"max_num_workers": 8, "no_use_public_ips": True, "dataflow_service_options": ["a=1", "b=2"]}
    assert arguments(profile="dataflow", dataflow={**DATAFLOW, **more}) == [
        "--runner=DataflowRunner",
        "--project=flights",
        "--region=europe-west4",
        "--temp_location=gs://bucket/tmp",
        "--sdk_container_image=registry.example/janus-beam-worker:1",
        "--max_num_workers=8",
        "--no_use_public_ips",
        "--dataflow_service_options=a=1",
        "--dataflow_service_options=b=2",
    ]


def test_args_follow_the_profile() -> None:
    found = arguments(profile="flink", flink=FLINK, args=["--parallelism=8", "--sdk_container_image=own:1"])
    assert found[-2:] == ["--parallelism=8", "--sdk_container_image=own:1"]
    assert "--sdk_container_image=janus" not in found
    assert arguments(args=["--runner=DirectRunner"]) == ["--runner=DirectRunner", "--sdk_container_image=janus"]


def test_the_sections_of_other_profiles_wait() -> None:
    assert arguments(flink=FLINK, dataflow=DATAFLOW) == []


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ({"profile": "flink"}, r"needs its section, beam\.flink"),
        ({"profile": "flinc"}, "'direct', 'portable', 'flink'"),
        ({"flink": {"environment_config": "localhost:50000"}}, "job_endpoint .* or flink_master"),
        ({"spark": {"environment_config": "localhost:50000"}}, "job_endpoint .* or spark_master_url"),
        ({"portable": {"environment_config": "localhost:50000"}}, "Field required"),
        ({"flink": {**FLINK, "job_endpoint": "http://jobs:8099"}}, "job_endpoint"),
        ({"flink": {"job_endpoint": "jobs:8099"}}, "EXTERNAL needs environment_config: the worker pool"),
        ({"flink": {**FLINK, "environment_type": "PROCESS"}}, "PROCESS needs environment_config with `command`"),
        ({"flink": {**FLINK, "environment_type": "LOOPBACK"}}, "LOOPBACK takes no environment_config"),
        ({"flink": {"job_endpoint": "jobs:8099", "environment_type": "DOCKER"}}, "the image that holds Janus"),
        ({"flink": {**FLINK, "paralelism": 4}}, "paralelism"),
        ({"dataflow": {**DATAFLOW, "temp_location": "/tmp"}}, "temp_location"),
        ({"dataflow": {key: DATAFLOW[key] for key in ("project", "region")}}, "sdk_container_image"),
        ({"direct": {"direct_num_workers": True}}, "direct_num_workers"),
        ({"args": ["runner=FlinkRunner"]}, "'runner=FlinkRunner' is not an option"),
    ],
)
def test_what_does_not_fit_is_reported(raw: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        BeamConfig.model_validate(raw)
