"""Pinning images by digest, with a registry of the test's own that demands a token as Docker Hub does."""

import json
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.project import SOURCES

SCRIPT = SOURCES / "deploy/pin_images.py"


def digest_of(repository: str, tag: str) -> str:
    return "sha256:" + sha256(f"{repository}:{tag}".encode()).hexdigest()


class _Registry(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        scope = re.search(r"scope=repository%3A(.+)%3Apull", self.path)
        assert scope is not None
        body = json.dumps({"token": scope[1].replace("%2F", "/")}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_HEAD(self) -> None:
        found = re.fullmatch(r"/v2/(.+)/manifests/(.+)", self.path)
        assert found is not None
        repository, tag = found.groups()
        if self.headers.get("Authorization") != f"Bearer {repository}":
            port = self.server.server_address[1]
            self.send_response(401)
            self.send_header("WWW-Authenticate", f'Bearer realm="http://127.0.0.1:{port}/token",service="test"')
        elif "image.index.v1+json" not in self.headers["Accept"] or repository == "library/gone":
            self.send_response(404)
        else:
            self.send_response(200)
            self.send_header("Docker-Content-Digest", digest_of(repository, tag))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Logs nothing."""


@pytest.fixture(scope="module")
def registry() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Registry)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copytree(SOURCES / "deploy", tmp_path / "deploy", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "deploy"


def pin(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-B", str(SCRIPT), "--folder", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def images(folder: Path) -> list[str]:
    text = "\n".join(path.read_text() for path in [*folder.rglob("*.yaml"), *folder.rglob("Dockerfile*")])
    return re.findall(r"^(?:\s*(?:- )?image: |ARG BASE=|ARG BEAM=)(.*)$", text, re.MULTILINE)


def without_digest(image: str) -> str:
    return re.sub(r"@sha256:[0-9a-f]{64}$", "", image)


def test_the_images_of_docker_hubs_official_library_have_digests() -> None:
    """Docker publishes these digests itself: github.com/docker-library/repo-info, repos/NAME/remote/TAG.md."""
    lacking = {image for image in images(SOURCES / "deploy") if without_digest(image) == image}
    beam = next(image for image in lacking if image[0].isdigit())
    assert {image.rpartition(":")[0] or image for image in lacking} <= {
        *(beam, "apache/beam_flink1.20_job_server"),
        *("registry.example/janus", "janus-beam-worker", "registry.example/janus-beam-worker", "tensorflow/serving"),
    }
    assert {"python", "mysql", "busybox", "flink"} == {
        image.partition(":")[0] for image in images(SOURCES / "deploy") if image not in lacking
    }


def test_every_image_of_others_gets_the_digest_of_its_tag_once(folder: Path, registry: str) -> None:
    before = sorted(without_digest(image) for image in images(folder))
    assert pin(folder, "--check").returncode == 1
    done = pin(folder, "--registry", registry)
    assert done.returncode == 0, done.stderr
    after = sorted(images(folder))
    assert sorted(without_digest(image) for image in after) == before
    assert f"python:3.11-slim-trixie@{digest_of('library/python', '3.11-slim-trixie')}" in after
    assert [image for image in after if image.startswith("mysql:")][0].endswith(
        digest_of("library/mysql", [image for image in before if image.startswith("mysql:")][0].partition(":")[2])
    )
    beam = next(image for image in before if re.fullmatch(r"\d+\.\d+\.\d+", image))
    assert f"{beam}@{digest_of('apache/beam_python3.11_sdk', beam)}" in after
    # The project's own images, and TensorFlow Serving's generated files, which follow the configuration.
    assert {image.partition(":")[0] for image in after if "@" not in image} <= {
        "janus-beam-worker",
        "tensorflow/serving",
    }
    assert "serving.deployment.tag: 2." in done.stdout
    assert pin(folder, "--check").returncode == 0
    assert pin(folder, "--registry", registry).returncode == 0
    assert sorted(images(folder)) == after


def test_nothing_is_written_where_a_digest_is_missing(folder: Path, registry: str) -> None:
    (folder / "z.yaml").write_text("image: gone:1\n")
    before = images(folder)
    failed = pin(folder, "--registry", registry)
    assert (failed.returncode, images(folder)) == (1, before)
    assert "cannot be asked" in failed.stderr
    assert "cannot be asked" in pin(folder, "--registry", "http://127.0.0.1:9").stderr


CONFIGURATION = """
version: 0.1
storage: {{filesystem: {{rootdirectory: {folder}}}}}
http: {{addr: "{address}"}}
log: {{level: error}}
"""


@pytest.fixture
def real_registry(tmp_path: Path) -> Iterator[str]:
    """The Distribution project's registry, empty."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    file = tmp_path / "registry.yml"
    file.write_text(CONFIGURATION.format(folder=tmp_path / "images", address=address))
    with subprocess.Popen(["docker-registry", "serve", str(file)], stderr=subprocess.DEVNULL) as server:
        try:
            deadline = time.monotonic() + 30
            while True:
                try:
                    urllib.request.urlopen(f"http://{address}/v2/", timeout=5).close()
                    break
                except OSError:
                    assert time.monotonic() < deadline, "the registry did not start"
                    time.sleep(0.1)
            yield f"http://{address}"
        finally:
            server.terminate()


def add_image(registry: str, repository: str, tag: str) -> str:
    """Pushes an image for two architectures by the distribution API, and returns the digest of its index."""

    def send(method: str, url: str, body: bytes, media: str) -> str:
        request = urllib.request.Request(url, body, {"Content-Type": media}, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return str(answer.headers.get("Location"))

    def described(body: bytes, media: str, **more: object) -> dict[str, object]:
        return {"mediaType": media, "digest": f"sha256:{sha256(body).hexdigest()}", "size": len(body), **more}

    oci, of_platforms = "application/vnd.oci.image", []
    for architecture in ("amd64", "arm64"):
        config = json.dumps({"architecture": architecture, "os": "linux"}).encode()
        place = send("POST", f"{registry}/v2/{repository}/blobs/uploads/", b"", "application/octet-stream")
        blob = described(config, f"{oci}.config.v1+json")
        send("PUT", f"{place}&digest={blob['digest']}", config, "application/octet-stream")
        media = f"{oci}.manifest.v1+json"
        manifest = json.dumps({"schemaVersion": 2, "mediaType": media, "config": blob, "layers": []}).encode()
        one = described(manifest, media, platform={"architecture": architecture, "os": "linux"})
        send("PUT", f"{registry}/v2/{repository}/manifests/{one['digest']}", manifest, media)
        of_platforms.append(one)
    media = f"{oci}.index.v1+json"
    index = json.dumps({"schemaVersion": 2, "mediaType": media, "manifests": of_platforms}).encode()
    send("PUT", f"{registry}/v2/{repository}/manifests/{tag}", index, media)
    return str(described(index, media)["digest"])


@pytest.mark.needs("docker-registry")
def test_a_real_registry_is_asked_for_the_digest_of_an_images_index(tmp_path: Path, real_registry: str) -> None:
    deploy = tmp_path / "deploy"
    deploy.mkdir()
    (deploy / "pod.yaml").write_text("image: busybox:1.37.0\n")
    (deploy / "Dockerfile").write_text("ARG BEAM=2.77.0\nFROM apache/beam_python3.11_sdk:${BEAM}\n")
    busybox = add_image(real_registry, "library/busybox", "1.37.0")
    beam = add_image(real_registry, "apache/beam_python3.11_sdk", "2.77.0")
    assert pin(deploy, "--check").stdout.endswith("2 references have no digest\n")
    done = pin(deploy, "--registry", real_registry)
    assert done.returncode == 0, done.stderr
    assert (deploy / "pod.yaml").read_text() == f"image: busybox:1.37.0@{busybox}\n"
    assert (deploy / "Dockerfile").read_text().startswith(f"ARG BEAM=2.77.0@{beam}\n")
    assert pin(deploy, "--check").returncode == 0
    (deploy / "pod.yaml").write_text("image: busybox:1.36.0\n")
    assert "404" in pin(deploy, "--registry", real_registry).stderr
