"""Several processes that train trials of one search: keras-tuner's own protocol of a chief and workers, over gRPC.

The chief has the oracle, which each worker asks for trials; the environment says where it is. The chief's loop of
keras-tuner is not used, since it waits forever for a worker that has ended.
"""

import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
from concurrent import futures

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer
from tfx.components.trainer.fn_args_utils import FnArgs

from janus_core.errors import JanusError
from trainer.tune import ConfigTuner

HOST = "127.0.0.1"
_PASSED = ("train_files", "transform_graph_path", "custom_config")


def search_in_parallel(tuner: ConfigTuner, fn_args: FnArgs, tuner_fn: str, workers: int) -> None:
    """Searches by worker processes, and returns when all have ended.

    The tuner has the oracle, and trains nothing. The workers call `tuner_fn`, a full name, with `fn_args`.

    Raises:
        JanusError: a worker failed; the message is its last line.
    """
    tuner.save()
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=1))
    protos.get_service_grpc().add_OracleServicer_to_server(OracleServicer(tuner.oracle), server)
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    given = json.dumps([tuner_fn, {name: getattr(fn_args, name) for name in _PASSED}])
    place = {"KERASTUNER_ORACLE_IP": HOST, "KERASTUNER_ORACLE_PORT": str(port)}
    command = [sys.executable, "-m", "components.tuner.parallel"]
    with tempfile.TemporaryFile("w+") as errors:
        processes = [
            subprocess.Popen(
                command,
                env={**os.environ, **place, "KERASTUNER_TUNER_ID": f"worker{number}"},
                stdin=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
            for number in range(workers)
        ]
        try:
            for process in processes:
                # It stays open: a worker ends with the chief.
                print(given, file=process.stdin, flush=True)
            failed = any(process.wait() for process in processes)
        finally:
            for process in processes:
                process.kill()
            server.stop(None)
            tuner.save()
        errors.seek(0)
        text = errors.read()
    sys.stderr.write(text)
    if failed:
        raise JanusError(f"a worker of the tuning failed: {(text.strip().splitlines() or ['killed'])[-1]}")


def main() -> None:
    """A worker."""
    name, arguments = json.loads(sys.stdin.readline())
    threading.Thread(target=lambda: os._exit(len(sys.stdin.read()) + 1), daemon=True).start()
    module, _, function = name.rpartition(".")
    getattr(importlib.import_module(module), function)(FnArgs(**arguments)).tuner.search()


if __name__ == "__main__":
    main()
