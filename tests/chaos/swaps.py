"""Requests to a server while versions are pushed and taken back: each is answered, by one whole version."""

import threading
import time
from pathlib import Path
from random import Random

from tests.chaos.finding import Finding


def swaps(folder: Path, rounds: int, random: Random) -> Finding:
    """Pushes and rollbacks beside clients of both protocols."""
    import grpc
    import httpx
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_service_pb2_grpc import PredictionServiceStub

    from components.pusher.push import push
    from components.pusher.rollback import roll_back
    from components.pusher.versions import versions
    from janus_core.errors import JanusError
    from serving.server.run import ServerOptions, running
    from tests.serving.server.requests import good_request
    from tests.serving.server.tiny_model import save_model
    from tests.serving.server.waiting import until_available

    finding = Finding("requests while versions are pushed and taken back")
    base, offsets = folder / "served", [float(offset) for offset in range(rounds + 1)]
    for offset in offsets:
        save_model(folder / f"model-{offset}", offset)
    push(folder / "model-0.0", base, 3)
    allowed = {5.0 + offset for offset in offsets}
    stopped = threading.Event()
    body = {"signature_name": "serving_columns", "instances": [{"distance": 1.0, "carrier": "UA", "stops": 3.0}]}

    def by_rest(url: str) -> float:
        answer = http.post(url, json=body)
        return float(answer.raise_for_status().json()["predictions"][0]["delay"][0])

    def by_grpc() -> float:
        return float(tf.make_ndarray(stub.Predict(good_request(), timeout=30).outputs["delay"])[0][0])

    def ask(call: object) -> None:
        while not stopped.is_set():
            try:
                answer = call()  # type: ignore[operator]
            except Exception as error:
                finding.violated("request", f"{type(error).__name__}: {error}")
                continue
            finding.more["requests"] += 1
            if answer not in allowed:
                finding.violated("half", f"the answer {answer} is no version's")

    with (
        running(ServerOptions("tiny", base, rest_port=0, grpc_port=0, poll_seconds=0.1)) as server,
        httpx.Client(timeout=30) as http,
        grpc.insecure_channel(server.grpc) as channel,
    ):
        until_available(server.manager, *versions(base))
        stub = PredictionServiceStub(channel)
        url = f"{server.rest}/v1/models/tiny:predict"
        threads = [threading.Thread(target=ask, args=(call,)) for call in (lambda: by_rest(url), by_grpc) * 2]
        for thread in threads:
            thread.start()
        for offset in offsets[1:]:
            push(folder / f"model-{offset}", base, 3)
            if random.random() < 0.4:
                try:
                    roll_back(base, lambda path: None)
                    finding.ends["taken back"] += 1
                except JanusError:
                    finding.ends["nothing to take back"] += 1
            finding.ends["pushed"] += 1
            finding.rounds += 1
            time.sleep(random.uniform(0.05, 0.6))
        stopped.set()
        for thread in threads:
            thread.join()
    return finding
