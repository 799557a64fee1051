"""TensorFlow Serving on Kubernetes."""

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from serving.deployment.server import (
    BINARY,
    CANARY_MODELS_CONFIG,
    CONFIG_FOLDER,
    MODELS_CONFIG,
    Server,
    arguments,
)

_PROBE_SECONDS = 10


def kubernetes_objects(server: Server, files: Mapping[str, str]) -> list[dict[str, Any]]:
    """ConfigMap, Deployment, the canary's Deployment if there is one, two Services and PodDisruptionBudget.

    Args:
        server: what is deployed.
        files: TF Serving's configuration files, name → content.
    """
    deployments = [_deployment(server, files, "stable", MODELS_CONFIG, server.config.replicas)]
    if server.has_canary:
        deployments.append(_deployment(server, files, "canary", CANARY_MODELS_CONFIG, server.config.canary_replicas))
    return [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": _metadata(server), "data": dict(sorted(files.items()))},
        *deployments,
        _service(server, server.name, {"type": "ClusterIP"}),
        # A headless Service, whose name resolves to all pods, for gRPC clients that balance the load themselves.
        _service(server, f"{server.name}-pods", {"type": "ClusterIP", "clusterIP": "None"}),
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": _metadata(server),
            # Not minAvailable, with which a node that has the only replica could never be drained.
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": _labels(server)}},
        },
    ]


def content_hash(files: Mapping[str, str]) -> str:
    """SHA-256 of all files, in hexadecimal digits."""
    digest = hashlib.sha256()
    for name, content in sorted(files.items()):
        digest.update(f"{name}\0{len(content.encode())}\0{content}".encode())
    return digest.hexdigest()


def _labels(server: Server, **more: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "tensorflow-serving", "app.kubernetes.io/instance": server.name, **more}


def _metadata(server: Server, name: str | None = None, **labels: str) -> dict[str, Any]:
    namespace = {"namespace": server.config.namespace} if server.config.namespace else {}
    own = _labels(server, **labels) | {"app.kubernetes.io/managed-by": "janus"}
    return {"name": name or server.name, **namespace, "labels": own}


def _deployment(
    server: Server, files: Mapping[str, str], track: str, models_config: str, replicas: int
) -> dict[str, Any]:
    config = server.config
    labels = _labels(server, track=track)
    annotations = {"checksum/config": content_hash(files)}
    if config.monitoring_path:
        annotations |= {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(config.rest_port),
            "prometheus.io/path": config.monitoring_path,
        }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _metadata(server, f"{server.name}-canary" if track == "canary" else None, track=track),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            # A pod that starts late does not make the rollout fail.
            "progressDeadlineSeconds": config.load_seconds + 300,
            "template": {
                "metadata": {"labels": labels, "annotations": annotations},
                "spec": _pod(server, labels, models_config),
            },
        },
    }


def _pod(server: Server, labels: dict[str, str], models_config: str) -> dict[str, Any]:
    config = server.config
    account = {"serviceAccountName": config.service_account} if config.service_account else {}
    volumes: list[dict[str, Any]] = [
        {"name": "config", "configMap": {"name": server.name}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    if not server.is_remote:
        claim = config.model_volume_claim or f"{server.resource}-models"
        volumes.insert(0, {"name": "models", "persistentVolumeClaim": {"claimName": claim, "readOnly": True}})
    return {
        **account,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        # The server has no handler for SIGTERM, and would never receive it as process 1 of a process namespace. In a
        # namespace that the pod's containers share, process 1 is the pod's own, and SIGTERM ends the server.
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": 30,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": config.user_id,
            "runAsGroup": config.user_id,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "ScheduleAnyway",
                "labelSelector": {"matchLabels": labels},
            }
        ],
        "containers": [_container(server, models_config)],
        "volumes": volumes,
    }


def _container(server: Server, models_config: str) -> dict[str, Any]:
    config = server.config
    size = {"cpu": f"{round(config.cpu * 1000)}m", "memory": config.memory}
    # The REST API opens once the first version is loaded, and knows the model from then on.
    status = {"httpGet": {"path": f"/v1/models/{server.model}", "port": "rest"}, "timeoutSeconds": 5}
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": CONFIG_FOLDER, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    if not server.is_remote:
        models: dict[str, Any] = {"name": "models", "mountPath": server.base_path, "readOnly": True}
        if config.model_volume_path:
            models["subPath"] = config.model_volume_path
        mounts.insert(0, models)
    return {
        "name": "serving",
        "image": server.image,
        "command": [BINARY],
        "args": arguments(server, models_config),
        "ports": [
            {"name": "rest", "containerPort": config.rest_port},
            {"name": "grpc", "containerPort": config.grpc_port},
        ],
        "startupProbe": {
            **status,
            "periodSeconds": _PROBE_SECONDS,
            "failureThreshold": math.ceil(config.load_seconds / _PROBE_SECONDS),
        },
        "readinessProbe": {**status, "periodSeconds": 5, "failureThreshold": 3},
        # On the other API, so that a failure of either is noticed; needs --enable_grpc_healthcheck_service.
        "livenessProbe": {
            "grpc": {"port": config.grpc_port},
            "timeoutSeconds": 5,
            "periodSeconds": _PROBE_SECONDS,
            "failureThreshold": 6,
        },
        # SIGTERM ends the server at once, together with the requests in progress. It is sent after this hook, which
        # gives the Service time to stop sending requests here.
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "10"]}}},
        "resources": {"requests": size, "limits": dict(size)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": mounts,
    }


def _service(server: Server, name: str, kind: dict[str, str]) -> dict[str, Any]:
    config = server.config
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata(server, name),
        "spec": {
            **kind,
            "selector": _labels(server),
            "ports": [
                {"name": "rest", "port": config.rest_port, "targetPort": "rest", "appProtocol": "http"},
                {"name": "grpc", "port": config.grpc_port, "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c"},
            ],
        },
    }
