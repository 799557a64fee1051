"""The server's flags, image and names."""

import pytest

from serving.deployment.config import DeploymentConfig
from serving.deployment.server import arguments, release_warning, server_of, serving_release
from tests.serving.deployment.rendered import flags, rendered

# Flags that tensorflow_serving/model_servers/main.cc declares in all of 2.16.1, 2.17.1, 2.18.1, 2.19.1 and 2.20.0.
DECLARED = {
    "allow_version_labels_for_unavailable_models",
    "batching_parameters_file",
    "enable_batching",
    "enable_grpc_healthcheck_service",
    "enable_profiler",
    "file_system_poll_wait_seconds",
    "grpc_channel_arguments",
    "load_retry_interval_micros",
    "model_config_file",
    "monitoring_config_file",
    "num_load_threads",
    "port",
    "rest_api_port",
    "ssl_config_file",
    "tensorflow_inter_op_parallelism",
    "tensorflow_intra_op_parallelism",
}


@pytest.mark.parametrize("labels", [{}, {"stable": 3}])
@pytest.mark.parametrize("batching", [True, False])
def test_only_flags_that_the_image_has(labels: dict[str, int], batching: bool) -> None:
    config = DeploymentConfig.model_validate({"labels": labels, "batching": {"enabled": batching}})
    found = flags(arguments(server_of("flights", "models/flights", config, "2.16.2")))
    assert found.keys() <= DECLARED
    assert ("allow_version_labels_for_unavailable_models" in found) is bool(labels)
    assert ("enable_batching" in found) is batching
    assert ("batching_parameters_file" in found) is batching


def test_a_version_that_cannot_be_loaded_does_not_hold_up_a_rollback() -> None:
    """With 0 threads, loads and the waits between tries are part of the loop that takes up versions (basic_manager.cc,
    util/retrier.cc)."""
    found = flags(rendered().service["command"])
    assert int(found["num_load_threads"]) >= 2
    assert 5 * int(found["load_retry_interval_micros"]) == 50_000_000


@pytest.mark.parametrize(("seconds", "argument"), [(300, "300000"), (2_147_483, "2147483000"), (None, None)])
def test_grpc_connections_end_now_and_then(seconds: int | None, argument: str | None) -> None:
    """The flag is a list of KEY=VALUE, of which whole numbers below 2^31 stay numbers (model_servers/server.cc)."""
    given = flags(rendered(grpc_max_connection_age_seconds=seconds).service["command"]).get("grpc_channel_arguments")
    assert given == (argument and f"grpc.max_connection_age_ms={argument}")
    assert argument is None or int(argument) < 2**31


def test_threads_follow_the_cores() -> None:
    found = flags(rendered(cpu=2.5).service["command"])
    assert found["tensorflow_intra_op_parallelism"] == found["tensorflow_inter_op_parallelism"] == "3"


@pytest.mark.parametrize(
    ("tensorflow", "release"),
    [
        ("2.15.1", "2.16.1"),
        ("2.16.2", "2.16.1"),
        ("2.19.0", "2.19.1"),
        ("2.20.0-rc1", "2.20.0"),
        ("2.21.0", "2.21.0"),
        ("2.22.1", "2.21.0"),
        ("3.0.0", "2.21.0"),
    ],
)
def test_the_image_follows_the_training(tensorflow: str, release: str) -> None:
    assert serving_release(tensorflow) == release
    assert rendered(tensorflow=tensorflow).service["image"] == f"tensorflow/serving:{release}"


@pytest.mark.parametrize(
    ("tag", "tensorflow", "words"),
    [
        ("2.16.1", "2.16.2", None),
        ("2.21.0", "2.16.2", None),
        ("2.21.0", None, None),
        ("2.19.1-gpu", "2.19.0", None),
        ("latest", "2.22.0", None),
        ("sha256:" + "1" * 64, "2.22.0", None),
        ("2.21.0", "2.22.1", "2.21.0 is older than TensorFlow 2.22.1"),
        ("2.16.1", "2.21.0", "2.16.1 is older than TensorFlow 2.21.0"),
        ("2.22.0", "2.21.0", "no release 2.22.0 of TensorFlow Serving is known here; known are 2.16.1, "),
        ("2.16.2", None, "no release 2.16.2"),
    ],
)
def test_a_doubtful_release_is_reported(tag: str, tensorflow: str | None, words: str | None) -> None:
    found = release_warning(tag, tensorflow)
    assert (found is None) if words is None else (words in (found or ""))


def test_no_version() -> None:
    with pytest.raises(ValueError, match="'nightly' is no version of TensorFlow"):
        serving_release("nightly")


def test_a_tag_or_digest_of_ones_own() -> None:
    assert rendered(tag="2.19.1", tensorflow="").service["image"] == "tensorflow/serving:2.19.1"
    digest = "sha256:" + "a" * 64
    assert rendered(tag=digest, image="registry:5000/ours").service["image"] == f"registry:5000/ours@{digest}"
    both = f"2.16.1@{digest}"
    assert rendered(tag=both).service["image"] == f"tensorflow/serving:{both}"
    assert release_warning(both, "2.16.2") is None


def test_the_stock_image_reads_no_s3() -> None:
    with pytest.raises(ValueError, match=r"tensorflow/serving reads folders and gs:// only, no s3://"):
        rendered(push_path="s3://bucket/models")
    assert rendered(push_path="s3://bucket/models/", image="ours").models().base_path == "s3://bucket/models"


def test_a_name_too_long_for_kubernetes() -> None:
    assert rendered(model="a" * 48).of_kind("Service")[0]["metadata"]["name"] == "a" * 48 + "-serving"
    with pytest.raises(ValueError, match="no name that Kubernetes accepts"):
        rendered(model="a" * 49)


def test_the_models_name_stays_in_requests() -> None:
    found = rendered(model="New_York__2013_")
    assert found.models().name == "New_York__2013_"
    assert found.of_kind("Deployment")[0]["metadata"]["name"] == "new-york-2013-serving"
    probe = found.pods()[0]["containers"][0]["readinessProbe"]
    assert probe["httpGet"]["path"] == "/v1/models/New_York__2013_"
