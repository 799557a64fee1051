"""What serving costs: `make bench-serving`, or `python -m benchmarks.serving_cost`.

Two parts, on the flights' pushed model (`make run` first):

- `signature`: a request to serving_default, by TF Serving's loader and session, beside the bare Keras network as a
  compiled function on the same rows, transformed already. In turn, round by round: the ratio is what parsing and the
  Transform graph cost.
- `server`: the development server under 16 clients at once, half by REST and half by gRPC, a row per request, while
  two versions are pushed. Requests per second, latency, errors.

Prints a table and writes JSON.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import environment

HERE = Path(__file__).parent
CONFIG = "configs/flights.yaml"
TARGETS = {1: 3.0, 128: 1.5}
"""Rows of a request → what the ratio should be at most."""
CALLS = {1: 200, 128: 50}
CLIENTS = 16


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["signature", "server"], help="one part")
    parser.add_argument("--rounds", type=int, default=15, help="of the first part (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the second part (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=HERE / "serving_cost.json")
    arguments = parser.parse_args()
    environment.prepare()
    document: dict[str, Any] = {}
    if arguments.only != "server":
        document["signature"] = measure_signature(arguments.rounds)
        for rows, found in document["signature"].items():
            print(
                f"serving_default, {rows:>3} row(s): {found['milliseconds']:.2f} ms, of which parsing alone "
                f"{found['parsing_milliseconds']:.2f}; {found['ratio']:.2f}× the bare "
                f"network ({found['min']:.2f}-{found['max']:.2f}; target ≤ {TARGETS[int(rows)]:g})"
            )
    if arguments.only != "signature":
        document["server"] = measure_server(arguments.seconds)
        for protocol, found in document["server"].items():
            print(
                f"development server, {protocol}: {found['requests_per_second']:.0f} requests/s, "
                f"p50 {found['p50_ms']:.1f} ms, p99 {found['p99_ms']:.1f} ms, {found['errors']} errors, "
                f"answered by versions {found['versions']}"
            )
    arguments.output.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def measure_signature(rounds: int) -> dict[str, Any]:
    """Rows of a request → milliseconds, and the ratio to the bare network by round."""
    import tensorflow as tf

    from serving.saved_model import LoadedModel

    model, rows, network, transformed, spec = _prepared()
    loaded = LoadedModel(model)
    compiled = tf.function(lambda features: network(features, training=False))
    parsed = tf.function(lambda records: tf.io.parse_example(records, spec))
    results = {}
    for size, calls in CALLS.items():
        records = np.array(rows[:size], object)
        features = {name: tf.constant(values[:size]) for name, values in transformed.items()}
        served: Callable[[], Any] = lambda records=records: loaded.run("serving_default", {"examples": records})  # noqa: E731
        bare: Callable[[], Any] = lambda features=features: {  # noqa: E731
            name: value.numpy() for name, value in compiled(features).items()
        }
        text = tf.constant(rows[:size])
        ratios, times, parsing = [], [], []
        for _ in range(rounds):
            parsing.append(_time(lambda text=text: parsed(text), calls))  # type: ignore[misc]
            first, reference, second = _time(served, calls), _time(bare, calls), _time(served, calls)
            times.append((first + second) / 2)
            ratios.append(times[-1] / reference)
        results[str(size)] = {
            "milliseconds": round(1000 * statistics.median(times), 3),
            "parsing_milliseconds": round(1000 * statistics.median(parsing), 3),
            "ratio": round(statistics.median(ratios), 3),
            "min": round(min(ratios), 3),
            "max": round(max(ratios), 3),
        }
    loaded.close()
    return results


def _time(call: Callable[[], Any], calls: int) -> float:
    """Seconds per call, the median."""
    taken = []
    for _ in range(calls):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def _prepared() -> tuple[Path, list[bytes], Any, dict[str, np.ndarray], dict[str, Any]]:
    """The pushed model, raw rows, a network of its form, the same rows transformed, and how raw rows are parsed."""
    import tensorflow as tf
    import tensorflow_transform as tft

    from janus_core.examples.shards import shard_files
    from pipeline.config.file import load_config
    from pipeline.home import Home
    from pipeline.lineage.store import executions_of_run, open_store
    from pipeline.report.report_json import read_latest
    from trainer.network import build_network, feature_edges
    from trainer.run import make_heads, read_examples

    config = load_config(Path(CONFIG))
    home = Home(config.name)
    run = executions_of_run(open_store(home.metadata), read_latest(home).run_id)
    graph, examples = run["Transform"].output("transform_graph"), run["Transform"].output("transformed_examples")
    raw = run["ExampleGen"].output("examples")
    assert graph is not None
    assert examples is not None
    assert raw is not None
    transform = tft.TFTransformOutput(graph.uri)
    trained = config.trainer_config()
    data = read_examples([f"{examples.uri}/Split-train/*"], transform, trained)
    network = build_network(trained, transform, make_heads(data, trained), feature_edges(trained, data.sample)).model
    files = shard_files(f"{raw.uri}/Split-eval")
    rows = list(tf.data.TFRecordDataset(files, compression_type="GZIP").take(max(CALLS)).as_numpy_iterator())
    spec = transform.raw_feature_spec()
    features = transform.transform_features_layer()(tf.io.parse_example(rows, spec))
    transformed = {name: features[name].numpy() for name in network.input}
    return _newest(Path(config.push.path)), rows, network, transformed, spec


def _newest(base: Path) -> Path:
    found = [path for path in base.glob("[0-9]*") if path.name.isdigit()]
    if not found:
        raise SystemExit(f"{base} has no version: `make run` first")
    return max(found, key=lambda path: int(path.name))


def measure_server(seconds: float) -> dict[str, Any]:
    """Protocol → requests per second, latency, errors, and the versions that answered."""
    from components.pusher.versions import publish
    from pipeline.config.file import load_config

    config = load_config(Path(CONFIG))
    model = _newest(Path(config.push.path))
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder) / "served"
        publish(str(model), str(base), 1)
        command = ["serve", CONFIG, "--local", "--rest-port", "0", "--grpc-port", "0", "--set", f"push.path={base}"]
        with subprocess.Popen(
            [sys.executable, "-u", "-m", "pipeline", *command], stdout=subprocess.PIPE, text=True
        ) as server:
            assert server.stdout is not None
            try:
                lines = iter(server.stdout)
                found = next(match for line in lines if (match := re.search(r"REST at (\S+), gRPC at (\S+) ", line)))
                next(line for line in lines if "is served" in line)
                threading.Thread(target=lambda: list(lines), daemon=True).start()
                return _load(found[1], f"grpc://{found[2]}", config.name, model, base, seconds)
            finally:
                server.terminate()
                # Before its standard output is closed, into which it says that it ends.
                server.wait()


def _load(rest: str, grpc: str, name: str, model: Path, base: Path, seconds: float) -> dict[str, Any]:
    import httpx

    from components.pusher.versions import publish
    from serving.client import RequestError, connect
    from serving.description import read_description
    from serving.rows import rows_of_examples
    from serving.warmup import warmup_rows

    description = read_description(model)
    assert description is not None
    row = rows_of_examples(description, warmup_rows(model))[0]
    taken: dict[str, list[float]] = {"rest": [], "grpc": []}
    errors: dict[str, list[str]] = {"rest": [], "grpc": []}
    end = time.monotonic() + seconds

    def ask(protocol: str) -> None:
        with connect(rest if protocol == "rest" else grpc, name, retries=0, deadline_seconds=60) as client:
            while time.monotonic() < end:
                start = time.perf_counter()
                try:
                    client.predict_rows([row])
                except RequestError as error:
                    errors[protocol].append(str(error))
                taken[protocol].append(time.perf_counter() - start)

    versions: set[int] = set()

    def watch() -> None:
        with httpx.Client() as http:
            while time.monotonic() < end:
                states = http.get(f"{rest}/v1/models/{name}").json()["model_version_status"]
                versions.update(int(found["version"]) for found in states if found["state"] == "AVAILABLE")
                time.sleep(0.5)

    threads = [threading.Thread(target=ask, args=(("rest", "grpc")[number % 2],)) for number in range(CLIENTS)]
    threads.append(threading.Thread(target=watch))
    for thread in threads:
        thread.start()
    for version in (2, 3):
        time.sleep(seconds / 4)
        publish(str(model), str(base), version)
    for thread in threads:
        thread.join()
    return {
        protocol: {
            "requests_per_second": round(len(times) / seconds, 1),
            "p50_ms": round(1000 * float(np.percentile(times, 50)), 2),
            "p99_ms": round(1000 * float(np.percentile(times, 99)), 2),
            "errors": len(errors[protocol]),
            "versions": sorted(versions),
        }
        for protocol, times in taken.items()
    }


if __name__ == "__main__":
    main()
