"""docker-compose.yml."""

import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml

from tests.serving.deployment.rendered import FOLDER, flags, rendered


class _Status(BaseHTTPRequestHandler):
    """Answers as TF Serving's REST API does."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write: the health check hangs up after the first line

    def do_GET(self) -> None:
        body = b'{"model_version_status": []}'
        self.send_response(200 if self.path == "/v1/models/flights" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), _Status)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def _health(model: str, port: int) -> int:
    """The exit code of Compose's health check."""
    kind, *command = rendered(model=model, rest_port=port).service["healthcheck"]["test"]
    assert kind == "CMD"
    command = [part.replace("$$", "$") for part in command]
    return subprocess.run(command, timeout=10, check=False, capture_output=True).returncode


def test_the_health_check_tells_a_served_model(port: int) -> None:
    assert _health("flights", port) == 0
    assert _health("other", port) != 0


def test_the_health_check_fails_without_a_server() -> None:
    server = HTTPServer(("127.0.0.1", 0), _Status)
    port = server.server_port
    server.server_close()
    assert _health("flights", port) != 0


def test_the_server_can_change_nothing() -> None:
    service = rendered(user_id=1234).service
    assert service["user"] == "1234:1234"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(volume["read_only"] for volume in service["volumes"])
    assert "privileged" not in service
    assert "environment" not in service


def test_sigterm_reaches_the_server() -> None:
    """TensorFlow Serving has no handler for it, and the kernel gives process 1 no signal without one."""
    service = rendered().service
    assert service["init"] is True
    assert service["entrypoint"] == ["/usr/bin/tensorflow_model_server"]


def test_the_models_and_the_config_files_are_mounted() -> None:
    found = rendered()
    volumes = {volume["target"]: volume["source"] for volume in found.service["volumes"]}
    assert volumes[found.models().base_path] == FOLDER
    used = {value for name, value in flags(found.service["command"]).items() if name.endswith("_file")}
    assert used < volumes.keys()
    for target, source in volumes.items():
        if target != found.models().base_path:
            assert source.removeprefix("./") in found.files


def test_a_dollar_in_a_path_is_no_variable() -> None:
    assert rendered(folder="/models/$HOME").service["volumes"][0]["source"] == "/models/$$HOME"


def test_an_object_store_needs_no_volume() -> None:
    found = rendered(push_path="gs://bucket/flights")
    assert found.models().base_path == "gs://bucket/flights"
    assert [volume["target"] for volume in found.service["volumes"]] == [
        f"/etc/tensorflow-serving/{name}.config" for name in ("models", "batching", "monitoring")
    ]


def test_ports_and_size() -> None:
    service = rendered(rest_port=9001, grpc_port=9000, cpu=0.5, memory="512Mi").service
    assert service["ports"] == ["127.0.0.1:9001:9001", "127.0.0.1:9000:9000"]
    assert flags(service["command"])["rest_api_port"] == "9001"
    assert flags(service["command"])["port"] == "9000"
    assert service["deploy"]["resources"]["limits"] == {"cpus": "0.5", "memory": "512m"}
    assert service["restart"] == "unless-stopped"


def test_the_project_is_named_after_the_model() -> None:
    assert yaml.safe_load(rendered(model="my_flights").files["docker-compose.yml"])["name"] == "my-flights-serving"
