"""kubernetes.yaml, against Kubernetes' own models."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.protobuf import text_encoding
from kubernetes import client

from tests.serving.deployment.rendered import flags, rendered

CANARY = {"labels": {"stable": 17, "canary": 18}, "canary_replicas": 1}
MODELS = {
    "ConfigMap": "V1ConfigMap",
    "Deployment": "V1Deployment",
    "Service": "V1Service",
    "PodDisruptionBudget": "V1PodDisruptionBudget",
    "NetworkPolicy": "V1NetworkPolicy",
}


def as_kubernetes_reads_it(found: dict[str, Any]) -> dict[str, Any]:
    """Through the client's typed models and back: fields that they do not know are lost, missing ones refused."""
    api = client.ApiClient()
    typed = api.deserialize(SimpleNamespace(data=json.dumps(found)), MODELS[found["kind"]])
    return api.sanitize_for_serialization(typed)


@pytest.mark.parametrize(
    "changed", [{}, CANARY, {"namespace": "models", "service_account": "reader", "client_namespaces": ["monitoring"]}]
)
def test_every_field_is_one_of_kubernetes(changed: dict[str, Any]) -> None:
    for found in rendered(**changed).objects:
        assert as_kubernetes_reads_it(found) == found


def test_an_unknown_field_would_be_noticed() -> None:
    (deployment,) = rendered().of_kind("Deployment")
    deployment["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    assert as_kubernetes_reads_it(deployment) != deployment


def test_a_missing_field_would_be_noticed() -> None:
    (deployment,) = rendered().of_kind("Deployment")
    del deployment["spec"]["selector"]
    with pytest.raises(ValueError, match="selector"):
        as_kubernetes_reads_it(deployment)


@pytest.mark.parametrize("changed", [{}, CANARY])
def test_the_pods_can_change_nothing(changed: dict[str, Any]) -> None:
    for pod in rendered(user_id=1234, **changed).pods():
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 1234
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        (container,) = pod["containers"]
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert "env" not in container
        assert {mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")} == {"/tmp"}
        (models,) = [volume for volume in pod["volumes"] if volume["name"] == "models"]
        assert models["persistentVolumeClaim"] == {"claimName": "flights-models", "readOnly": True}


def test_no_secrets() -> None:
    text = rendered(**CANARY).files["kubernetes.yaml"].lower()
    assert [word for word in ("secret", "password", "credential") if word in text] == []


def test_probes_and_ports_agree() -> None:
    found = rendered(rest_port=9001, grpc_port=9000, load_seconds=95)
    (container,) = found.pods()[0]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"rest": 9001, "grpc": 9000}
    given = flags(container["args"])
    assert (given["rest_api_port"], given["port"]) == ("9001", "9000")
    assert given["enable_grpc_healthcheck_service"] == "true"
    assert container["livenessProbe"]["grpc"] == {"port": 9000}
    for name in ("startupProbe", "readinessProbe"):
        assert container[name]["httpGet"] == {"path": "/v1/models/flights", "port": "rest"}
    startup = container["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] >= 95
    for service in found.of_kind("Service"):
        assert {port["targetPort"]: port["port"] for port in service["spec"]["ports"]} == ports
    annotations = found.of_kind("Deployment")[0]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == "9001"
    assert annotations["prometheus.io/path"] == found.monitoring.path


@pytest.mark.parametrize("changed", [{}, CANARY])
def test_sigterm_ends_the_server_after_the_service_has_left_it(changed: dict[str, Any]) -> None:
    for pod in rendered(**changed).pods():
        assert pod["shareProcessNamespace"] is True
        (container,) = pod["containers"]
        (program, seconds) = container["lifecycle"]["preStop"]["exec"]["command"]
        assert program == "sleep"
        assert 0 < int(seconds) < pod["terminationGracePeriodSeconds"]


def test_a_headless_service_names_all_pods() -> None:
    clusters, pods = rendered().of_kind("Service")
    assert [found["metadata"]["name"] for found in (clusters, pods)] == ["flights-serving", "flights-serving-pods"]
    assert [found["spec"].get("clusterIP") for found in (clusters, pods)] == [None, "None"]
    assert clusters["spec"]["selector"] == pods["spec"]["selector"]
    longest = rendered(model="a" * 48).of_kind("Service")
    assert all(len(found["metadata"]["name"]) <= 63 for found in longest)


def test_requests_come_from_the_namespace_and_from_those_named_and_the_servers_call_nobody() -> None:
    found = rendered(client_namespaces=["monitoring"], **CANARY)
    (policy,) = (document["spec"] for document in found.of_kind("NetworkPolicy"))
    (rule,) = policy["ingress"]
    named = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    assert rule["from"] == [{"podSelector": {}}, named]
    assert rule["ports"] == [{"port": "rest"}, {"port": "grpc"}]
    assert (policy["policyTypes"], policy["egress"]) == (["Ingress", "Egress"], [])
    for deployment in found.of_kind("Deployment"):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert "may send requests" in found.files["README.md"]
    (remote,) = (document["spec"] for document in rendered(push_path="gs://b/flights").of_kind("NetworkPolicy"))
    assert (remote["policyTypes"], "egress" in remote) == (["Ingress"], False)


def test_grpc_alone_is_served_where_it_is_encrypted() -> None:
    found = rendered(tls_secret="flights-tls", **CANARY)
    for document in found.objects:
        assert as_kubernetes_reads_it(document) == document
    for deployment, pod in zip(found.of_kind("Deployment"), found.pods(), strict=True):
        (container,) = pod["containers"]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        assert flags(container["args"])["ssl_config_file"] == f"{mounts['tls']['mountPath']}/ssl.config"
        assert mounts["tls"]["readOnly"]
        assert {"name": "tls", "secret": {"secretName": "flights-tls"}} in pod["volumes"]
        # Kubernetes' probe of gRPC knows no TLS; those of REST come from the node, which policies do not concern.
        assert container["livenessProbe"]["tcpSocket"] == {"port": "grpc"}
        assert container["readinessProbe"]["httpGet"]["port"] == "rest"
        assert "prometheus.io/scrape" not in deployment["spec"]["template"]["metadata"]["annotations"]
    for service in found.of_kind("Service"):
        assert [port["name"] for port in service["spec"]["ports"]] == ["grpc"]
    (policy,) = found.of_kind("NetworkPolicy")
    assert policy["spec"]["ingress"][0]["ports"] == [{"port": "grpc"}]
    # Compose's ports are open on the host's loopback address only.
    assert "ssl_config_file" not in flags(found.service["command"])


def test_the_readme_makes_a_secret_that_tensorflow_serving_reads(tmp_path: Path) -> None:
    """SSLConfig is a text proto with the PEM files inside, whose lines end with backslash and n."""
    readme = rendered(tls_secret="flights-tls", namespace="models").files["README.md"]
    script = readme.partition("clients need a certificate too.\n\n```sh\n")[2].partition("```")[0]
    making, _, creating = script.partition("kubectl ")
    assert creating.strip() == "create secret generic --namespace models flights-tls --from-file=ssl.config"
    pem = "-----BEGIN X-----\nab+/=\n-----END X-----\n"
    for name in ("tls.key", "tls.crt"):
        (tmp_path / name).write_text(pem)
    subprocess.run(["bash", "-c", making], cwd=tmp_path, check=True)
    lines = [line.partition(": ") for line in (tmp_path / "ssl.config").read_text().splitlines()]
    assert {name: text_encoding.CUnescape(value.strip('"')).decode() for name, _, value in lines} == {
        "server_key": pem,
        "server_cert": pem,
    }


def test_resources() -> None:
    (container,) = rendered(cpu=0.5, memory="512Mi").pods()[0]["containers"]
    size = {"cpu": "500m", "memory": "512Mi"}
    assert container["resources"] == {"requests": size, "limits": size}


def test_the_config_files_are_those_beside_it() -> None:
    found = rendered(**CANARY)
    (config_map,) = found.of_kind("ConfigMap")
    assert config_map["data"] == {
        name: text.partition("\n")[2] for name, text in found.files.items() if name.endswith(".config")
    }
    for pod in found.pods():
        (container,) = pod["containers"]
        (folder,) = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "config"]
        used = [value for name, value in flags(container["args"]).items() if name.endswith("_file")]
        assert used
        assert all(path.removeprefix(f"{folder}/") in config_map["data"] for path in used)
        assert {"name": "config", "configMap": {"name": config_map["metadata"]["name"]}} in pod["volumes"]


def test_a_changed_config_file_rolls_the_pods() -> None:
    def checksum(**changed: Any) -> str:
        (deployment,) = rendered(**changed).of_kind("Deployment")
        return deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum() == checksum(replicas=5)
    assert checksum() != checksum(labels={"stable": 3})
    assert checksum(labels={"stable": 3}) != checksum(labels={"stable": 4})


def test_the_canary_stands_behind_the_same_service() -> None:
    found = rendered(replicas=4, **CANARY)
    stable, canary = found.of_kind("Deployment")
    assert (stable["spec"]["replicas"], canary["spec"]["replicas"]) == (4, 1)
    models = [flags(pod["containers"][0]["args"])["model_config_file"] for pod in found.pods()]
    assert [path.rpartition("/")[2] for path in models] == ["models.config", "models-canary.config"]
    selectors = [service["spec"]["selector"] for service in found.of_kind("Service")]
    selectors.append(found.of_kind("PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"])
    for deployment, other in ((stable, canary), (canary, stable)):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert all(selector.items() <= labels.items() for selector in selectors)
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert not other["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert stable["metadata"]["name"] != canary["metadata"]["name"]


def test_the_volume_of_ones_own() -> None:
    pod = rendered(model_volume_claim="shared", model_volume_path="pushed/flights").pods()[0]
    assert pod["volumes"][0]["persistentVolumeClaim"]["claimName"] == "shared"
    assert pod["containers"][0]["volumeMounts"][0] == {
        "name": "models",
        "mountPath": "/models/flights",
        "readOnly": True,
        "subPath": "pushed/flights",
    }


def test_an_object_store_needs_no_volume() -> None:
    pod = rendered(push_path="gs://bucket/flights", service_account="reader").pods()[0]
    assert [volume["name"] for volume in pod["volumes"]] == ["config", "tmp"]
    assert [mount["name"] for mount in pod["containers"][0]["volumeMounts"]] == ["config", "tmp"]
    assert pod["serviceAccountName"] == "reader"


def test_the_namespace_is_everywhere_or_nowhere() -> None:
    assert {found["metadata"].get("namespace") for found in rendered(**CANARY).objects} == {None}
    assert {found["metadata"].get("namespace") for found in rendered(namespace="m").objects} == {"m"}
