"""TensorFlow Serving's own configuration files, which are text protos."""

from google.protobuf import text_format

from serving.deployment.config import DeploymentConfig
from serving.deployment.server import (
    BATCHING_CONFIG,
    CANARY_MODELS_CONFIG,
    MODELS_CONFIG,
    MONITORING_CONFIG,
    Server,
)


def config_files(server: Server) -> dict[str, str]:
    """File name → content."""
    labels = server.config.labels.versions()
    files = {
        MODELS_CONFIG: models_config(server, {"stable": labels["stable"]} if server.has_canary else labels),
        BATCHING_CONFIG: batching_config(server.config),
        MONITORING_CONFIG: monitoring_config(server.config),
    }
    if server.has_canary:
        files[CANARY_MODELS_CONFIG] = models_config(server, {"canary": labels["canary"]})
    return files


def models_config(server: Server, labels: dict[str, int]) -> str:
    """A tensorflow.serving.ModelServerConfig: the newest version, or with labels the labelled ones."""
    from tensorflow_serving.config import model_server_config_pb2

    message = model_server_config_pb2.ModelServerConfig()
    model = message.model_config_list.config.add(
        name=server.model, base_path=server.base_path, model_platform="tensorflow"
    )
    comment = ["A tensorflow.serving.ModelServerConfig (--model_config_file)."]
    if labels:
        model.model_version_policy.specific.versions.extend(sorted(set(labels.values())))
        model.version_labels.update(labels)
        comment += [
            "Only these versions are served. A pushed version is not, until it gets a label.",
            "A running server moves labels to loaded versions only, so that a change here restarts the servers.",
        ]
    else:
        model.model_version_policy.latest.num_versions = 1
        comment += ["The newest version is served; after a push or rollback, the server loads it without a restart."]
    return _commented(comment) + str(text_format.MessageToString(message))


# The Python package of TF Serving's protos has neither of the two messages below.


def batching_config(config: DeploymentConfig) -> str:
    """A tensorflow.serving.BatchingParameters, whether batching is on or not."""
    batching = config.batching
    threads = batching.num_batch_threads or config.cores
    head = [
        "A tensorflow.serving.BatchingParameters (--batching_parameters_file), "
        + ("in use." if batching.enabled else "not in use:")
    ]
    if not batching.enabled:
        head.append(
            "serving.deployment.batching.enabled is false, and the server is started without --enable_batching."
        )
    head += [
        "",
        "With batching, all inputs of a request must have as many rows: the server checks this before the model could",
        "stretch a single value to all rows, and the default of an absent optional column is a single value. A request",
        "of several rows to serving_columns that leaves a column out is therefore refused (INVALID_ARGUMENT, 'Batching",
        "Run() input tensors must have equal 0th-dimension size'). Requests of one row, requests that give every",
        'column in every row ("" or NaN where it is missing), and those with tf.Examples (serving_default, and the',
        "signatures of single tasks) are not affected. The server batches all signatures of a model or none.",
    ]
    fields = [
        (
            f"max_batch_size {{ value: {batching.max_batch_size} }}",
            ["Rows of a batch at most. On CPUs high is right; but a request with more rows is refused."],
        ),
        (
            f"batch_timeout_micros {{ value: {batching.batch_timeout_micros} }}",
            [
                "How long a batch waits for more rows while a thread is free. 0: it does not; requests still meet in a",
                "batch while all threads are busy. Try 1000 to 10000 where throughput matters more than latency.",
            ],
        ),
        (
            f"num_batch_threads {{ value: {threads} }}",
            ["Batches that are computed at a time; to start with, the number of cores."],
        ),
        (
            f"max_enqueued_batches {{ value: {batching.max_enqueued_batches or threads} }}",
            [
                "Batches that may wait; beyond, requests are refused (UNAVAILABLE), which bounds their delay. For",
                "online requests as many as there are threads, for bulk jobs more.",
            ],
        ),
        *(
            (f"allowed_batch_sizes: {size}", ["Batches are padded to the next of these sizes."] if first else [])
            for first, size in ((index == 0, size) for index, size in enumerate(batching.allowed_batch_sizes))
        ),
    ]
    return _commented(head) + "".join(
        ("\n" + _commented(comment) if comment else "") + field + "\n" for field, comment in fields
    )


def monitoring_config(config: DeploymentConfig) -> str:
    """A tensorflow.serving.MonitoringConfig."""
    comment = ["A tensorflow.serving.MonitoringConfig (--monitoring_config_file)."]
    if config.monitoring_path is None:
        return _commented(comment) + "prometheus_config {\n  enable: false\n}\n"
    comment.append(f"Prometheus reads {config.monitoring_path} on the REST port.")
    return _commented(comment) + f'prometheus_config {{\n  enable: true\n  path: "{config.monitoring_path}"\n}}\n'


def _commented(lines: list[str]) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)
