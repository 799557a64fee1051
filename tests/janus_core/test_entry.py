"""The console script's process imports nothing that only the tests need."""

import subprocess
import sys


def test_the_client_of_kubernetes_does_not_import_the_validator() -> None:
    code = """
import contextlib, sys
from janus_core.entry import main
sys.argv = ["janus", "--version"]
with contextlib.suppress(SystemExit):
    main()
from kubernetes.dynamic import client
print(client.HAS_KUBERNETES_VALIDATE, "rfc3987_syntax" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False"
