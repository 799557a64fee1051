"""A Beam worker for a worker pool's --container_executable, which notes each bundle that it processes."""

import argparse
import os
import sys
from pathlib import Path
from typing import Any

LOG = "JANUS_TEST_BEAM_WORKERS"
"""Environment variable: a folder with a file per worker process, named by its process id, a line per bundle."""


def main(arguments: list[str]) -> None:
    """Takes the arguments of Beam's container contract; everything that a job needs is installed here."""
    parser = argparse.ArgumentParser()
    for name in ("id", "logging_endpoint", "artifact_endpoint", "provision_endpoint", "control_endpoint"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args(arguments)
    os.environ["WORKER_ID"] = options.id
    os.environ["CONTROL_API_SERVICE_DESCRIPTOR"] = f'url: "{options.control_endpoint}"'
    os.environ["LOGGING_API_SERVICE_DESCRIPTOR"] = f'url: "{options.logging_endpoint}"'
    os.environ["PIPELINE_OPTIONS"] = "{}"

    from apache_beam.runners.worker import sdk_worker_main
    from apache_beam.runners.worker.bundle_processor import BundleProcessor

    log = Path(os.environ[LOG]) / str(os.getpid())
    process_bundle = BundleProcessor.process_bundle

    def noted(self: BundleProcessor, instruction_id: str) -> Any:
        steps = [transform.unique_name for transform in self.process_bundle_descriptor.transforms.values()]
        with log.open("a") as file:
            file.write(f"{instruction_id} {'|'.join(steps)}\n")
        return process_bundle(self, instruction_id)

    BundleProcessor.process_bundle = noted
    sdk_worker_main.main([])


if __name__ == "__main__":
    main(sys.argv[1:])
