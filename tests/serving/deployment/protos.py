"""The messages of TF Serving that its Python package has not, from the fields that their .proto files declare."""

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2

_Field = descriptor_pb2.FieldDescriptorProto
_INT64_VALUE = ".google.protobuf.Int64Value"

# session_bundle_config.proto: name → number, type (or a message's name), repeated.
_BATCHING_PARAMETERS: dict[str, tuple[int, Any, bool]] = {
    "max_batch_size": (1, _INT64_VALUE, False),
    "batch_timeout_micros": (2, _INT64_VALUE, False),
    "max_enqueued_batches": (3, _INT64_VALUE, False),
    "num_batch_threads": (4, _INT64_VALUE, False),
    "thread_pool_name": (5, ".google.protobuf.StringValue", False),
    "allowed_batch_sizes": (6, _Field.TYPE_INT64, True),
    "pad_variable_length_inputs": (7, _Field.TYPE_BOOL, False),
    "enable_large_batch_splitting": (8, ".google.protobuf.BoolValue", False),
    "max_execution_batch_size": (9, _INT64_VALUE, False),
}
# monitoring_config.proto
_PROMETHEUS_CONFIG: dict[str, tuple[int, Any, bool]] = {
    "enable": (1, _Field.TYPE_BOOL, False),
    "path": (2, _Field.TYPE_STRING, False),
}
_MONITORING_CONFIG: dict[str, tuple[int, Any, bool]] = {
    "prometheus_config": (1, ".tensorflow.serving.PrometheusConfig", False),
}


def _message_classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="tests/tensorflow_serving.proto",
        package="tensorflow.serving",
        syntax="proto3",
        dependency=[wrappers_pb2.DESCRIPTOR.name],
    )
    messages = {
        "BatchingParameters": _BATCHING_PARAMETERS,
        "PrometheusConfig": _PROMETHEUS_CONFIG,
        "MonitoringConfig": _MONITORING_CONFIG,
    }
    for message, fields in messages.items():
        descriptor = file.message_type.add(name=message)
        for name, (number, kind, repeated) in fields.items():
            field = descriptor.field.add(
                name=name, number=number, label=_Field.LABEL_REPEATED if repeated else _Field.LABEL_OPTIONAL
            )
            if isinstance(kind, str):
                field.type, field.type_name = _Field.TYPE_MESSAGE, kind
            else:
                field.type = kind
    # A pool of its own: nothing else in the process may meet these names.
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"tensorflow.serving.{name}"))
        for name in messages
    }


_CLASSES = _message_classes()
BatchingParameters = _CLASSES["BatchingParameters"]
MonitoringConfig = _CLASSES["MonitoringConfig"]
