"""Calls a served model, over gRPC or REST, or one in a folder without any server.

    from serving.client import connect

    with connect("grpc://localhost:8500", "flights") as client:
        answer = client.predict_rows([{"carrier": "EV", "distance": 719.0}, {"carrier": "AA", "distance": None}])
    answer["arr_delay"]  # float32 [2, 1]

Requests to TensorFlow Serving's own APIs, so any of its servers will do. REST needs neither TensorFlow nor gRPC.
Where a request cannot be answered, RequestError says why, by gRPC's status codes.
"""

from serving.client.base import Client
from serving.client.connect import connect
from serving.client.local import LocalClient
from serving.client.signature import Signature, TensorInfo
from serving.errors import Code, RequestError

__all__ = ["Client", "Code", "LocalClient", "RequestError", "Signature", "TensorInfo", "connect"]
