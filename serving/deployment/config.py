"""How TensorFlow Serving is deployed: the `serving.deployment` section of the configuration."""

import math
import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from janus_core.strict import Count, Number, StrictModel, reject_bool

STOCK_IMAGE = "tensorflow/serving"

DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DNS_SUBDOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_IMAGE = re.compile(r"([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}(@sha256:[0-9a-f]{64})?|sha256:[0-9a-f]{64}")
_MEMORY = re.compile(r"[1-9][0-9]*(Mi|Gi)")
_HTTP_PATH = re.compile(r"(/[A-Za-z0-9_.-]+)+")
_SUB_PATH = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")


def _full_match(pattern: re.Pattern[str], expected: str) -> AfterValidator:
    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise ValueError(f"'{text}' is not {expected}")
        return text

    return AfterValidator(check)


def _inside_the_volume(path: str) -> str:
    if ".." in path.split("/"):
        raise ValueError(f"'{path}' leads out of the volume")
    return path


_Whole = Annotated[int, BeforeValidator(reject_bool)]
_Version = Annotated[_Whole, Field(gt=0, lt=2**63)]
_Port = Annotated[_Whole, Field(ge=1024, le=65535)]
_DnsLabel = Annotated[str, _full_match(DNS_LABEL, "a name of Kubernetes: lower-case letters, digits and hyphens")]
_DnsSubdomain = Annotated[
    str, _full_match(_DNS_SUBDOMAIN, "a name of Kubernetes: lower-case letters, digits, hyphens and dots")
]


class LabelsConfig(StrictModel):
    """Versions that clients may request by a label. If there are any, only labelled versions are served."""

    stable: _Version | None = Field(None, description="The version for most clients.")
    canary: _Version | None = Field(None, description="The version that is being tested.")

    def versions(self) -> dict[str, int]:
        """The labels that are set → version."""
        labels = {"stable": self.stable, "canary": self.canary}
        return {label: version for label, version in labels.items() if version is not None}


class BatchingConfig(StrictModel):
    """Whether and how the server joins concurrent requests into one call of the model (BatchingParameters)."""

    enabled: bool = Field(
        False,
        description="Whether concurrent requests are joined. Requests of several rows to serving_columns must then "
        "give every column.",
    )
    max_batch_size: Count = Field(
        1024, description="The most rows of a joined batch; a single request with more is refused."
    )
    batch_timeout_micros: Annotated[_Whole, Field(ge=0)] = Field(
        0, description="Microseconds that a batch waits for more requests while a thread is free."
    )
    num_batch_threads: Count | None = Field(
        None, description="Batches that are computed at the same time; by default the number of cores."
    )
    max_enqueued_batches: Count | None = Field(
        None, description="The most batches that may wait; further requests are refused. By default num_batch_threads."
    )
    allowed_batch_sizes: list[Count] = Field(
        [], description="Sizes that batches are padded to, ascending, the last one max_batch_size; empty: any size."
    )

    @model_validator(mode="after")
    def _check(self) -> "BatchingConfig":
        sizes = self.allowed_batch_sizes
        if sizes != sorted(set(sizes)):
            raise ValueError(f"allowed_batch_sizes {sizes} must be ascending")
        if sizes and sizes[-1] != self.max_batch_size:
            raise ValueError(
                f"allowed_batch_sizes ends with {sizes[-1]}, but TF Serving demands max_batch_size, "
                f"{self.max_batch_size}"
            )
        return self


class DeploymentConfig(StrictModel):
    """How TensorFlow Serving is deployed, by Docker Compose or on Kubernetes."""

    image: Annotated[str, _full_match(_IMAGE, "an image's name, without a tag")] = Field(
        STOCK_IMAGE, description="The server's image, without its tag."
    )
    tag: Annotated[str, _full_match(_TAG, "an image's tag, sha256:digest, or tag@sha256:digest")] | None = Field(
        None,
        description="The image's tag, sha256 digest, or both as tag@sha256:digest; by default the release of TF "
        "Serving for the TensorFlow that trained the model, if there is one.",
    )
    rest_port: _Port = Field(8501, description="The port of the REST API, inside and outside of the container.")
    grpc_port: _Port = Field(8500, description="The port of the gRPC API, inside and outside of the container.")
    replicas: Count = Field(2, description="The number of pods on Kubernetes.")
    cpu: Annotated[Number, Field(ge=0.1)] = Field(
        2, description="Cores of each server, as request and as limit; TensorFlow uses as many threads."
    )
    memory: Annotated[str, _full_match(_MEMORY, "an amount such as 512Mi or 2Gi")] = Field(
        "2Gi",
        description="Memory of each server, as request and as limit; during a change of versions, two are loaded.",
    )
    user_id: Count = Field(1000, description="The user id of the server, which must be able to read the model's files.")
    namespace: _DnsLabel | None = Field(
        None, description="The namespace on Kubernetes; by default kubectl's current one."
    )
    client_namespaces: list[_DnsLabel] = Field(
        [],
        description="Namespaces on Kubernetes, apart from the servers' own, whose pods may send requests, such as that "
        "of Prometheus or of an ingress controller.",
    )
    service_account: _DnsSubdomain | None = Field(
        None, description="The pods' account, if an object store requires one; its token is not mounted."
    )
    tls_secret: _DnsSubdomain | None = Field(
        None,
        description="A secret on Kubernetes whose key ssl.config is an SSLConfig of TF Serving, which encrypts the "
        "gRPC API. The REST API, which TF Serving cannot encrypt, then admits no other pods. Null: no encryption.",
    )
    model_volume_claim: _DnsSubdomain | None = Field(
        None, description="The persistent volume claim that holds the versions; by default <pipeline>-models."
    )
    model_volume_path: (
        Annotated[str, _full_match(_SUB_PATH, "a relative path"), AfterValidator(_inside_the_volume)] | None
    ) = Field(None, description="The folder of versions in that volume; by default its root.")
    version_poll_seconds: Count = Field(10, description="How often the server looks for new versions.")
    grpc_max_connection_age_seconds: Annotated[_Whole, Field(gt=0, le=2_147_483)] | None = Field(
        300,
        description="Seconds after which the server makes a gRPC client reconnect, so that clients behind "
        "a Service spread over all pods; null: a client stays on one pod.",
    )
    load_seconds: Count = Field(300, description="Seconds that a server may need to load its first version.")
    labels: LabelsConfig = Field(LabelsConfig(), description="Versions by label; none: the newest version is served.")
    canary_replicas: Annotated[_Whole, Field(ge=0)] = Field(
        0,
        description="Pods of a separate Deployment on Kubernetes that serve labels.canary behind the same Service, "
        "while the others serve labels.stable.",
    )
    batching: BatchingConfig = Field(BatchingConfig(), description="How concurrent requests are joined.")
    monitoring_path: Annotated[str, _full_match(_HTTP_PATH, "a path such as /metrics")] | None = Field(
        "/monitoring/prometheus/metrics", description="The path of Prometheus metrics on the REST port; null: none."
    )

    @model_validator(mode="after")
    def _check(self) -> "DeploymentConfig":
        if self.rest_port == self.grpc_port:
            raise ValueError(f"rest_port and grpc_port are both {self.rest_port}; TF Serving needs two ports")
        if self.canary_replicas and not (self.labels.stable and self.labels.canary):
            raise ValueError("canary_replicas needs labels.stable and labels.canary, the versions to serve")
        if self.monitoring_path and self.monitoring_path.startswith("/v1/"):
            raise ValueError(f"monitoring_path '{self.monitoring_path}' is within /v1/, where the REST API is")
        return self

    @property
    def cores(self) -> int:
        """Whole cores, rounded up: the number of TensorFlow's threads."""
        return math.ceil(self.cpu)
