"""The manifests of what the steps need in the cluster: valid, complete, and fitting the configuration."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipeline.config.file import load_config
from pipeline.config.kubeflow import KubeflowConfig
from pipeline.kubeflow.compile import POD_LABEL
from tests.project import SOURCES

FOLDER = SOURCES / "deploy/kubeflow"
VERSIONS = ("1.28", "1.37")
"""Kubernetes' oldest and newest that Kubeflow Pipelines' installations are likely to have."""
CLAIM = "PersistentVolumeClaim"
KUSTOMIZATIONS = ("base", "infra-validator", "overlays/gcs", "overlays/s3", "shell")
OWN_OBJECTS = ("base", "infra-validator", "shell")


def load(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        return [document for document in yaml.safe_load_all(file) if document is not None]


def kustomization(name: str) -> dict[str, Any]:
    (found,) = load(FOLDER / name / "kustomization.yaml")
    return found


def resources(name: str) -> list[dict[str, Any]]:
    """The objects of a kustomization's own files."""
    files = [FOLDER / name / file for file in kustomization(name)["resources"] if file.endswith(".yaml")]
    return [document for file in files for document in load(file)]


def only(kind: str, name: str = "base") -> dict[str, Any]:
    (found,) = (document for document in resources(name) if document["kind"] == kind)
    return found


def pod_specs() -> Iterator[dict[str, Any]]:
    yield only("StatefulSet")["spec"]["template"]["spec"]
    yield only("Pod", "shell")["spec"]


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> KubeflowConfig:
    found = load_config(SOURCES / "configs/flights.yaml", []).kubeflow
    assert found is not None
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(version: str) -> None:
    documents = [document for name in OWN_OBJECTS for document in resources(name)]
    assert {document["kind"] for document in documents} >= {"StatefulSet", "Service", "Role", "NetworkPolicy", "Pod"}
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
        assert "namespace" not in document["metadata"]
    broken = only("StatefulSet")
    broken["spec"]["template"]["spec"]["containers"][0]["livenessProbes"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessProbes"):
        kubernetes_validate.validate(broken, version, strict=True)


@pytest.mark.parametrize("name", KUSTOMIZATIONS)
def test_every_file_is_in_its_kustomization(name: str) -> None:
    content = kustomization(name)
    patches = [patch["path"] for patch in content.get("patches", []) if "path" in patch]
    listed = [*content["resources"], *patches]
    assert all((FOLDER / name / file).exists() for file in listed)
    files = {path.name for path in (FOLDER / name).glob("*.yaml")} - {"kustomization.yaml"}
    assert files == {file for file in listed if file.endswith(".yaml")}


def test_every_kustomization_is_known() -> None:
    found = {path.parent.relative_to(FOLDER).as_posix() for path in FOLDER.rglob("kustomization.yaml")}
    assert found == set(KUSTOMIZATIONS)


@pytest.mark.parametrize("name", ["overlays/gcs", "overlays/s3"])
def test_patches_meet_an_object(name: str) -> None:
    known = {(document["kind"], document["metadata"]["name"]) for document in resources("base")}
    for patch in kustomization(name)["patches"]:
        text = (FOLDER / name / patch["path"]).read_text() if "path" in patch else patch["patch"]
        (content,) = yaml.safe_load_all(text)
        if "target" in patch:
            assert patch["target"]["kind"] in {kind for kind, _ in known}
        else:
            assert (content["kind"], content["metadata"]["name"]) in known


def test_no_secret_is_written_down() -> None:
    """Kustomize makes them of files that are not in the repository, from examples without values."""
    for name in ("base", "overlays/s3"):
        for generator in kustomization(name)["secretGenerator"]:
            assert set(generator) == {"name", "envs"}
            for file in generator["envs"]:
                example = (FOLDER / name / f"{file}.example").read_text(encoding="utf-8")
                assert all(line.endswith("=") for line in example.split())
        assert kustomization(name)["generatorOptions"] == {"disableNameSuffixHash": True}
    assert "*.env" in (FOLDER / ".gitignore").read_text(encoding="utf-8").splitlines()
    documents = [document for name in OWN_OBJECTS for document in resources(name)]
    assert not any(document["kind"] == "Secret" for document in documents)
    for spec in pod_specs():
        for env in spec["containers"][0].get("env", []):
            assert ("PASSWORD" in env["name"]) == ("value" not in env)


def secret_keys(name: str) -> dict[str, set[str]]:
    """Secret → its keys, as the example files have them."""
    return {
        generator["name"]: {
            line.partition("=")[0]
            for file in generator["envs"]
            for line in (FOLDER / name / f"{file}.example").read_text(encoding="utf-8").split()
        }
        for generator in kustomization(name)["secretGenerator"]
    }


def test_the_server_is_given_keys_of_its_secret() -> None:
    env = only("StatefulSet")["spec"]["template"]["spec"]["containers"][0]["env"]
    keys = secret_keys("base")
    used = [item["valueFrom"]["secretKeyRef"] for item in env if "valueFrom" in item]
    assert {key["key"] for key in used} == keys["janus-metadata"]
    assert {key["name"] for key in used} == {"janus-metadata"}


def test_the_configuration_fits(section: KubeflowConfig) -> None:
    claims = {
        document["metadata"]["name"] for document in resources("base") if document["kind"].endswith("VolumeClaim")
    }
    assert {volume.claim for volume in section.volumes} == claims
    assert section.service_account == only("ServiceAccount")["metadata"]["name"]
    keys = secret_keys("base")
    assert section.secrets
    assert all(secret.key in keys[secret.name] for secret in section.secrets)
    found = re.fullmatch(r"mysql://(.+)@(.+):(\d+)/(.+)\?tls=true", section.metadata)
    assert found is not None
    service, stateful = only("Service"), only("StatefulSet")
    container = stateful["spec"]["template"]["spec"]["containers"][0]
    env = {item["name"]: item.get("value") for item in container["env"]}
    (port,) = service["spec"]["ports"]
    assert found.groups() == (
        env["MYSQL_USER"],
        service["metadata"]["name"],
        str(port["port"]),
        env["MYSQL_DATABASE"],
    )
    assert container["ports"] == [{"name": port["targetPort"], "containerPort": port["port"]}]
    shell = only("Pod", "shell")["spec"]
    mounts = {mount["name"]: mount["mountPath"] for mount in shell["containers"][0]["volumeMounts"]}
    shown = {item["persistentVolumeClaim"]["claimName"]: mounts[item["name"]] for item in shell["volumes"]}
    assert shown == {volume.claim: volume.path for volume in section.volumes}


def test_every_claim_may_be_mounted_by_steps_on_any_node() -> None:
    claims = [document for document in resources("base") if document["kind"] == CLAIM]
    assert all(claim["spec"]["accessModes"] == ["ReadWriteMany"] for claim in claims)


def test_only_the_steps_reach_the_database() -> None:
    labels = only("StatefulSet")["spec"]["template"]["metadata"]["labels"]
    policy = only("NetworkPolicy")["spec"]
    assert policy["podSelector"]["matchLabels"] == only("Service")["spec"]["selector"]
    assert labels == {**only("Service")["spec"]["selector"], "sidecar.istio.io/inject": "false"}
    assert policy["policyTypes"] == ["Ingress"]
    (rule,) = policy["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": dict([POD_LABEL])}}]
    assert [port["port"] for port in rule["ports"]] == ["mysql"]


def rights(name: str) -> set[tuple[str, str, str]]:
    """Group, resource and verb of a kustomization's Role, which is bound to the steps' account."""
    role, binding = only("Role", name), only("RoleBinding", name)
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": only("ServiceAccount")["metadata"]["name"]}]
    assert all(rule.get("resourceNames") for rule in role["rules"] if "secrets" in rule["resources"])
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_account_starts_pods_for_infra_validator_alone() -> None:
    steps, infra_validator = rights("base"), rights("infra-validator")
    assert not [permission for permission in steps if permission[1].startswith(("pods", "persistentvolumeclaims"))]
    pods = {("", "pods", verb) for verb in ("create", "delete", "get", "list", "watch")}
    assert infra_validator == pods | {("", "pods/log", "get"), ("", "persistentvolumeclaims", "get")}
    assert not any("*" in part for permission in steps | infra_validator for part in permission)
    assert not {("", "pods/exec", "create"), ("", "secrets", "list")} & steps


def test_nothing_runs_as_root_or_without_limits_or_in_a_version_of_chance() -> None:
    for spec in pod_specs():
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert min(security["runAsUser"], security["runAsGroup"]) > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert spec["automountServiceAccountToken"] is False
        for container in spec["containers"]:
            assert re.fullmatch(r"[a-z./-]+:[0-9]+\.[0-9]+\.[0-9]+(@sha256:[0-9a-f]{64})?", container["image"])
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["requests"]
            assert "memory" in container["resources"]["limits"]


def test_the_database_has_probes_and_the_login_that_ml_metadata_knows() -> None:
    container = only("StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    assert {"--mysql-native-password=ON", "--authentication-policy=mysql_native_password"} <= set(container["args"])
    assert "--require-secure-transport=ON" in container["args"]
    # MySQL 9 removed that login.
    assert container["image"].startswith("mysql:8.4.")
    (template,) = only("StatefulSet")["spec"]["volumeClaimTemplates"]
    assert template["metadata"]["name"] in {mount["name"] for mount in container["volumeMounts"]}


@pytest.mark.needs("kubectl")
@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("base", {"janus-data", "janus-models", "janus-pipeline"}),
        ("overlays/gcs", set()),
        ("overlays/s3", {"janus-models", "janus-pipeline"}),
    ],
)
def test_kustomize_builds_it(name: str, claims: set[str], tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "kubeflow", ignore=shutil.ignore_patterns("*.env"))
    command = ["kubectl", "kustomize", str(tmp_path / "kubeflow" / name)]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert ".env" in refused.stderr
    for example in (tmp_path / "kubeflow").rglob("*.env.example"):
        example.with_suffix("").write_text(example.read_text().replace("=", "=secret"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    built = [document for document in yaml.safe_load_all(done.stdout) if document["kind"] != "Kustomization"]
    for document in built:
        kubernetes_validate.validate(document, VERSIONS[-1], strict=True)
    found = {document["metadata"]["name"] for document in built if document["kind"] == CLAIM}
    assert found == claims
    secrets = {document["metadata"]["name"] for document in built if document["kind"] == "Secret"}
    assert "janus-metadata" in secrets
