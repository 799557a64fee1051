"""The bill of materials: every locked package with its hashes, and the licences of what is installed."""

import csv
import json
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.docs.scripts import load
from tests.project import SOURCES

sbom = load("requirements/sbom.py")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sbom")
    command = [sys.executable, "-B", str(SOURCES / "requirements/sbom.py"), "--output", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder


@pytest.mark.parametrize("name", ["modern", "portable", "image"])
def test_every_locked_package_is_a_component(written: Path, name: str) -> None:
    content = json.loads((written / f"{name}.cdx.json").read_text())
    assert (content["bomFormat"], content["specVersion"]) == ("CycloneDX", "1.6")
    lock = (SOURCES / f"requirements/{name}.txt").read_text()
    components = content["components"]
    assert len(components) == sum("==" in line for line in lock.splitlines() if not line.startswith(("#", " ")))
    assert lock.count("--hash=sha256:") == sum(len(one.get("hashes", [])) for one in components)
    references = [one["bom-ref"] for one in components]
    assert len(set(references)) == len(references)
    (dependencies,) = content["dependencies"]
    assert dependencies["dependsOn"] == references
    tensorflow = next(one for one in components if one["name"].startswith("tensorflow") and "-" not in one["name"])
    assert tensorflow["purl"] == f"pkg:pypi/tensorflow@{tensorflow['version']}"
    assert tensorflow["hashes"][0]["alg"] == "SHA-256"


def test_licences_of_what_is_installed(written: Path) -> None:
    with (written / "licences.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["package"]: (row["version"], row["licence"]) for row in csv.DictReader(file)}
    assert rows["numpy"] == (metadata.version("numpy"), rows["numpy"][1])
    assert "BSD" in rows["numpy"][1]
    known = [licence for _, licence in rows.values() if licence != "unknown"]
    assert len(known) > 0.9 * len(rows)


def test_the_forms_of_a_lock() -> None:
    text = "Foo_Bar[extra]==1.0 ; python_version < '4' \\\n    --hash=sha256:" + "a" * 64 + "\nplain==2.0\n# x==1\n"
    assert list(sbom.locked(text)) == [("foo-bar", "1.0", ["a" * 64]), ("plain", "2.0", [])]
