"""TF Serving's own configuration files, read as the server reads them."""

import pytest
from google.protobuf import text_format

from tests.serving.deployment.protos import BatchingParameters, MonitoringConfig
from tests.serving.deployment.rendered import rendered


def test_the_newest_version_is_served() -> None:
    model = rendered().models()
    assert (model.name, model.base_path, model.model_platform) == ("flights", "/models/flights", "tensorflow")
    assert model.model_version_policy.WhichOneof("policy_choice") == "latest"
    assert model.model_version_policy.latest.num_versions == 1
    assert not model.version_labels


def test_labelled_versions_are_served_and_no_others() -> None:
    model = rendered(labels={"stable": 17, "canary": 9}).models()
    assert list(model.model_version_policy.specific.versions) == [9, 17]
    assert dict(model.version_labels) == {"stable": 17, "canary": 9}


def test_two_labels_of_one_version() -> None:
    model = rendered(labels={"stable": 17, "canary": 17}).models()
    assert list(model.model_version_policy.specific.versions) == [17]
    assert dict(model.version_labels) == {"stable": 17, "canary": 17}


def test_with_a_canary_each_server_has_its_own_version() -> None:
    found = rendered(labels={"stable": 17, "canary": 18}, canary_replicas=1)
    assert dict(found.models().version_labels) == {"stable": 17}
    assert list(found.models().model_version_policy.specific.versions) == [17]
    canary = found.models("models-canary.config")
    assert dict(canary.version_labels) == {"canary": 18}
    assert list(canary.model_version_policy.specific.versions) == [18]


def test_the_canarys_file_goes_with_the_canary() -> None:
    assert rendered(labels={"stable": 17, "canary": 18}).removed == {"models-canary.config"}
    assert rendered(labels={"stable": 17, "canary": 18}, canary_replicas=1).removed == set()


def test_batching_follows_the_cores() -> None:
    batching = rendered(cpu=3.5).batching
    assert batching.num_batch_threads.value == 4
    assert batching.max_enqueued_batches.value == 4
    assert batching.HasField("batch_timeout_micros")
    assert batching.batch_timeout_micros.value == 0
    assert batching.max_batch_size.value == 1024


def test_batching_as_configured() -> None:
    batching = rendered(
        batching={
            "enabled": True,
            "max_batch_size": 64,
            "batch_timeout_micros": 2000,
            "num_batch_threads": 3,
            "max_enqueued_batches": 100,
            "allowed_batch_sizes": [8, 64],
        }
    ).batching
    assert [batching.max_batch_size.value, batching.batch_timeout_micros.value] == [64, 2000]
    assert [batching.num_batch_threads.value, batching.max_enqueued_batches.value] == [3, 100]
    assert list(batching.allowed_batch_sizes) == [8, 64]


@pytest.mark.parametrize("enabled", [True, False])
def test_batching_says_what_it_does_to_absent_columns(enabled: bool) -> None:
    text = rendered(batching={"enabled": enabled}).files["batching.config"]
    assert "must have equal 0th-dimension size" in text.replace("\n# ", " ")
    assert ("not in use" in text) is not enabled


def test_monitoring() -> None:
    found = rendered().monitoring
    assert (found.enable, found.path) == (True, "/monitoring/prometheus/metrics")
    assert not rendered(monitoring_path=None).monitoring.enable


def test_the_parsers_of_these_tests_refuse_unknown_fields() -> None:
    with pytest.raises(text_format.ParseError, match="max_batch"):
        text_format.Parse("max_batch { value: 1 }", BatchingParameters())
    with pytest.raises(text_format.ParseError, match="prometheus"):
        text_format.Parse("prometheus { enable: true }", MonitoringConfig())
