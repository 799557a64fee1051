"""TensorFlow Serving by Docker Compose, on one host."""

from typing import Any

from serving.deployment.server import (
    BATCHING_CONFIG,
    BINARY,
    CONFIG_FOLDER,
    MODELS_CONFIG,
    MONITORING_CONFIG,
    Server,
    arguments,
)


def compose_project(server: Server, model_folder: str) -> dict[str, Any]:
    """The Compose project, with one service.

    Ports are published on the host's loopback address only, since the server has no authentication.

    Args:
        server: what is deployed.
        model_folder: the folder of versions, absolute or relative to the Compose file; not used for a URL.
    """
    config = server.config
    size = {"cpus": f"{config.cpu:g}", "memory": config.memory.removesuffix("i").lower()}
    service = {
        "image": server.image,
        "entrypoint": [BINARY],
        "command": arguments(server),
        # The server has no handler for SIGTERM, and the kernel does not deliver such a signal to process 1. As
        # process 1, the server would therefore be killed only after ten seconds.
        "init": True,
        "user": f"{config.user_id}:{config.user_id}",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "tmpfs": ["/tmp"],
        "ports": [f"127.0.0.1:{port}:{port}" for port in (config.rest_port, config.grpc_port)],
        "volumes": [
            *([] if server.is_remote else [_read_only(model_folder, server.base_path)]),
            *(
                _read_only(f"./{name}", f"{CONFIG_FOLDER}/{name}")
                for name in (MODELS_CONFIG, BATCHING_CONFIG, MONITORING_CONFIG)
            ),
        ],
        "healthcheck": {
            "test": ["CMD", "bash", "-c", _status_is_200(config.rest_port, server.model)],
            "interval": "10s",
            "timeout": "5s",
            "retries": 3,
            "start_period": f"{config.load_seconds}s",
        },
        "deploy": {"resources": {"limits": size, "reservations": {"memory": size["memory"]}}},
        "restart": "unless-stopped",
    }
    return _escaped({"name": server.name, "services": {"serving": service}})


def _read_only(source: str, target: str) -> dict[str, Any]:
    # Otherwise Docker would create a missing folder, empty and owned by root.
    bind = {"create_host_path": False}
    return {"type": "bind", "source": source, "target": target, "read_only": True, "bind": bind}


def _status_is_200(port: int, model: str) -> str:
    """A bash command that requests the model's status, since the image has no HTTP client."""
    request = rf"GET /v1/models/{model} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    return (
        f"exec 3<>/dev/tcp/127.0.0.1/{port} && printf '{request}' >&3 && read -r status <&3 && "
        """[[ "$status" == *" 200 "* ]]"""
    )


def _escaped(value: Any) -> Any:
    """The value with dollars doubled, since Compose replaces $NAME by a variable's value."""
    if isinstance(value, dict):
        return {key: _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    return value.replace("$", "$$") if isinstance(value, str) else value
