"""The manifests of Flink with Beam's workers, and the workers' image: valid, safe, and fitting each other."""

import re
from collections.abc import Iterator
from typing import Any

import apache_beam
import kubernetes_validate
import pytest
import yaml
from apache_beam.options.pipeline_options import FlinkRunnerOptions

from pipeline.beam import check_arguments
from pipeline.config.beam import WORKERS_ENVIRONMENT, BeamConfig
from pipeline.kubeflow.compile import POD_LABEL
from tests.project import SOURCES

FOLDER = SOURCES / "deploy/beam/flink"
VERSIONS = ("1.28", "1.37")


def documents() -> list[dict[str, Any]]:
    return [document for file in kustomization()["resources"] for document in _load(file)]


def kustomization() -> dict[str, Any]:
    (found,) = _load("kustomization.yaml")
    return found


def pods() -> dict[str, dict[str, Any]]:
    """Deployment's name → its pods' specification."""
    deployments = (document for document in documents() if document["kind"] == "Deployment")
    return {found["metadata"]["name"]: found["spec"]["template"]["spec"] for found in deployments}


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each container, with its pod's specification."""
    for pod in pods().values():
        for container in pod["containers"]:
            yield container, pod


def services() -> dict[str, dict[str, Any]]:
    return {found["metadata"]["name"]: found["spec"] for found in documents() if found["kind"] == "Service"}


def flink_properties() -> dict[str, Any]:
    (found,) = (document for document in documents() if document["kind"] == "ConfigMap")
    return yaml.safe_load(found["data"]["properties"])


def _load(name: str) -> list[dict[str, Any]]:
    with (FOLDER / name).open(encoding="utf-8") as file:
        return list(yaml.safe_load_all(file))


def image_args(dockerfile: str) -> dict[str, str]:
    return dict(re.findall(r"^ARG (\w+)=(\S+)$", dockerfile, re.MULTILINE))


@pytest.fixture(scope="module")
def dockerfile() -> str:
    return (SOURCES / "deploy/beam/Dockerfile.worker").read_text(encoding="utf-8")


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(version: str) -> None:
    kinds = [document["kind"] for document in documents()]
    assert (kinds.count("Deployment"), kinds.count("Service"), kinds.count("NetworkPolicy")) == (3, 2, 2)
    for document in documents():
        kubernetes_validate.validate(document, version, strict=True)
        assert "namespace" not in document["metadata"]


def test_every_file_is_in_the_kustomization() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(kustomization()["resources"])


def test_every_container_is_pinned_unprivileged_probed_and_bounded() -> None:
    renamed = {image["name"]: f"{image['newName']}:{image['newTag']}" for image in kustomization()["images"]}
    assert len(list(containers())) == 4
    for container, pod in containers():
        image = renamed.get(container["image"], container["image"])
        assert re.fullmatch(r"[\w./-]+:[\w.-]+(@sha256:[0-9a-f]{64})?", image), image
        assert not image.endswith(":latest")
        security = {**pod["securityContext"], **container["securityContext"]}
        assert security["runAsNonRoot"]
        assert security["runAsUser"] > 0
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert pod["automountServiceAccountToken"] is False
        ports = {port["name"] for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            (how,) = (container[probe][kind] for kind in ("tcpSocket", "httpGet") if kind in container[probe])
            assert how["port"] in ports
        assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]
        assert {mount["name"] for mount in container.get("volumeMounts", [])} <= {
            volume["name"] for volume in pod.get("volumes", [])
        }


def test_flink_writes_its_settings_into_a_copy() -> None:
    """Its entry point changes files in conf, and its scripts write logs and a process id."""
    for name in ("janus-flink-jobmanager", "janus-flink-taskmanager"):
        pod = pods()[name]
        (copying,), flink = pod["initContainers"], pod["containers"][0]
        assert copying["image"] == flink["image"]
        assert copying["command"][-2:] == ["/opt/flink/conf/.", copying["volumeMounts"][0]["mountPath"]]
        assert {**copying["securityContext"], "capabilities": None} == {
            **flink["securityContext"],
            "capabilities": None,
        }
        volumes = {mount["mountPath"]: mount["name"] for mount in flink["volumeMounts"]}
        assert volumes["/opt/flink/conf"] == copying["volumeMounts"][0]["name"]
        written = {volumes[path] for path in ("/opt/flink/conf", "/opt/flink/log", "/tmp")}
        assert {volume["name"] for volume in pod["volumes"] if volume.get("emptyDir") == {}} >= written


def test_services_select_pods_that_have_their_ports() -> None:
    for name, service in services().items():
        (spec,) = (
            found["spec"]["template"]
            for found in documents()
            if found["kind"] == "Deployment"
            and service["selector"].items() <= found["spec"]["template"]["metadata"]["labels"].items()
        )
        ports = {port["name"] for container in spec["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["ports"]} <= ports, name


def test_volumes_are_those_of_the_steps() -> None:
    base = SOURCES / "deploy/kubeflow/base/volumes.yaml"
    claims = {document["metadata"]["name"] for document in yaml.safe_load_all(base.read_text(encoding="utf-8"))}
    used = {
        volume["persistentVolumeClaim"]["claimName"]
        for pod in pods().values()
        for volume in pod.get("volumes", [])
        if "persistentVolumeClaim" in volume
    }
    assert used == claims


def test_staged_files_lie_where_the_task_managers_look_for_them() -> None:
    """Beam hands workers the path that the job server staged to."""
    job_server, task_manager = (
        pods()["janus-beam-job-server"]["containers"][0],
        pods()["janus-flink-taskmanager"]["containers"][0],
    )
    assert "--artifacts-dir=/beam-artifacts" in job_server["args"]
    mounts = [
        next(mount for mount in container["volumeMounts"] if mount["mountPath"] == "/beam-artifacts")
        for container in (job_server, task_manager)
    ]
    assert mounts[0] == mounts[1]


def test_flink_is_one_that_the_job_server_and_the_locked_beam_run_on() -> None:
    images = {container["image"] for container, _ in containers()}
    (flink,) = (re.match(r"flink:(\d+\.\d+)\.", image).group(1) for image in images if image.startswith("flink:"))
    (server,) = (image for image in images if "job_server" in image)
    assert server.startswith(f"apache/beam_flink{flink}_job_server:")
    assert server.partition("@")[0].rpartition(":")[2] == _locked_beam()
    if apache_beam.__version__ == _locked_beam():
        assert flink in FlinkRunnerOptions.PUBLISHED_FLINK_VERSIONS


def test_the_workers_image_has_the_locked_beams_boot(dockerfile: str) -> None:
    assert image_args(dockerfile)["BEAM"].partition("@")[0] == _locked_beam()
    assert "FROM apache/beam_python3.11_sdk:${BEAM} AS boot" in dockerfile
    (environment,) = re.findall(r"^ENV (.+)$", dockerfile, re.MULTILINE)
    variables = dict(part.split("=") for part in environment.split())
    assert variables.items() >= {**WORKERS_ENVIRONMENT, "RUN_PYTHON_SDK_IN_DEFAULT_ENVIRONMENT": "1"}.items()
    (user,) = re.findall(r"^USER (\d+):\d+$", dockerfile, re.MULTILINE)
    assert int(user) > 0
    assert 'ENTRYPOINT ["/opt/apache/beam/boot"]' in dockerfile


def test_the_documented_profile_fits_the_manifests() -> None:
    text = (SOURCES / "docs/beam.md").read_text(encoding="utf-8")
    blocks = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(beam:.*?)```", text, re.DOTALL)]
    profiles = {block["beam"]["profile"]: block["beam"] for block in blocks if "profile" in block["beam"]}
    assert set(profiles) == {"direct", "portable", "flink", "spark", "dataflow"}
    for raw in profiles.values():
        check_arguments(BeamConfig.model_validate(raw).arguments(), connect=False)
    flink = profiles["flink"]["flink"]
    ports = {port["name"]: port["port"] for port in services()["janus-beam-job-server"]["ports"]}
    assert flink["job_endpoint"] == f"janus-beam-job-server:{ports['job']}"
    assert flink["artifact_endpoint"] == f"janus-beam-job-server:{ports['artifact']}"
    pool = pods()["janus-flink-taskmanager"]["containers"][1]
    assert flink["environment_config"] == f"localhost:{pool['ports'][0]['containerPort']}"
    assert pool["args"] == ["--worker_pool"]
    (replicas,) = (
        found["spec"]["replicas"]
        for found in documents()
        if found["metadata"]["name"] == "janus-flink-taskmanager"
        if found["kind"] == "Deployment"
    )
    assert flink["parallelism"] <= replicas * flink_properties()["taskmanager.numberOfTaskSlots"]


def test_flink_finds_its_job_manager_and_probes_find_its_ports() -> None:
    properties = flink_properties()
    assert properties["jobmanager.rpc.address"] in services()
    (port,) = pods()["janus-flink-taskmanager"]["containers"][0]["ports"]
    assert properties["taskmanager.rpc.port"] == port["containerPort"]
    (master,) = (
        argument.partition("=")[2]
        for argument in pods()["janus-beam-job-server"]["containers"][0]["args"]
        if argument.startswith("--flink-master=")
    )
    host, _, rest = master.partition(":")
    assert int(rest) in {port["port"] for port in services()[host]["ports"]}


def test_only_a_pipelines_steps_reach_the_job_server() -> None:
    policies = {found["metadata"]["name"]: found["spec"] for found in documents() if found["kind"] == "NetworkPolicy"}
    (rule,) = policies["janus-beam-job-server"]["ingress"]
    assert rule["from"] == [{"podSelector": {"matchLabels": dict([POD_LABEL])}}]


def _locked_beam() -> str:
    lock = (SOURCES / "requirements/modern.txt").read_text(encoding="utf-8")
    (version,) = re.findall(r"^apache-beam(?:\[\w+\])?==(\S+)", lock, re.MULTILINE)
    return version
