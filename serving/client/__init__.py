"""Calls a served model over gRPC or REST, or a model in a folder without a server.

    from serving.client import connect

    with connect("grpc://localhost:8500", "flights") as client:
        answer = client.predict_rows([{"carrier": "EV", "distance": 719.0}, {"carrier": "AA", "distance": None}])
    answer["arr_delay"]  # float32 [2, 1]

The clients use TensorFlow Serving's own APIs, so that they work with any of its servers. REST needs neither TensorFlow
nor gRPC. If a request cannot be answered, RequestError has the reason and one of gRPC's status codes.
"""

from serving.client.base import Client
from serving.client.connect import connect
from serving.client.local import LocalClient
from serving.errors import Code, RequestError
from serving.signatures import Signature, TensorInfo

__all__ = ["Client", "Code", "LocalClient", "RequestError", "Signature", "TensorInfo", "connect"]
