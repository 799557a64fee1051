"""Writes what each set of packages consists of: CycloneDX 1.6 (JSON) per lock, and the licences of what is installed.

`make sbom` calls it. Components, versions and hashes are the locks'; licences are read from the metadata of the
packages that are installed here, as far as they have the locked version. Standard library only; the same locks give the
same files.
"""

import argparse
import csv
import json
import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LOCKS = ("modern", "portable", "image")
LICENCES = "licences.csv"
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)[^\n]*((?:\n +--hash=\S+[^\n]*)*)", re.MULTILINE)


def locked(text: str) -> Iterator[tuple[str, str, list[str]]]:
    """Name, version and sha256 hashes of each package of a lock."""
    for name, version, hashes in _LOCKED.findall(text):
        yield canonical(name), version, re.findall(r"--hash=sha256:([0-9a-f]{64})", hashes)


def canonical(name: str) -> str:
    """A name as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def licence_of(found: metadata.PackageMetadata) -> str:
    """An SPDX expression where the package has one, else the names of its classifiers, else its own short text."""
    expression = found.get("License-Expression")
    if expression:
        return str(expression)
    classifiers = [c.rpartition(" :: ")[2] for c in found.get_all("Classifier", []) if c.startswith("License :: ")]
    text = str(found.get("License") or "").strip()
    return " AND ".join(classifiers) or (text if text and "\n" not in text and len(text) < 100 else "unknown")


def installed() -> dict[str, tuple[str, str]]:
    """Package → version and licence, of this environment."""
    return {
        canonical(found.metadata["Name"]): (found.version, licence_of(found.metadata))
        for found in metadata.distributions()
    }


def bill(name: str, text: str, project: dict[str, Any], licences: dict[str, tuple[str, str]]) -> dict[str, Any]:
    """A lock as a CycloneDX document."""
    root = f"pkg:pypi/{project['name']}@{project['version']}"
    components = [_component(*package, licences) for package in locked(text)]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": root,
                "name": project["name"],
                "version": project["version"],
                "purl": root,
                "licenses": [{"license": {"id": project["license"]}}],
            },
            "properties": [{"name": "janus:lock", "value": f"requirements/{name}.txt"}],
        },
        "components": components,
        "dependencies": [{"ref": root, "dependsOn": [one["bom-ref"] for one in components]}],
    }


def _component(name: str, version: str, hashes: list[str], licences: dict[str, tuple[str, str]]) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    component: dict[str, Any] = {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}
    if hashes:
        component["hashes"] = [{"alg": "SHA-256", "content": one} for one in sorted(hashes)]
    here, licence = licences.get(name, ("", ""))
    if here == version and licence != "unknown":
        component["licenses"] = [{"license": {"name": licence}}]
    return component


def main() -> None:
    """Parses the command line and writes."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--output", type=Path, default=HERE.parent / "build/sbom", help="the folder (%(default)s)")
    output = parser.parse_args().output
    output.mkdir(parents=True, exist_ok=True)
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    licences = installed()
    for name in LOCKS:
        content = bill(name, (HERE / f"{name}.txt").read_text(encoding="utf-8"), project, licences)
        path = output / f"{name}.cdx.json"
        path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"{path}: {len(content['components'])} packages")
    with (output / LICENCES).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["package", "version", "licence"])
        rows.writerows([name, *found] for name, found in sorted(licences.items()))
    unknown = sum(licence == "unknown" for _, licence in licences.values())
    print(f"{output / LICENCES}: {len(licences)} packages that are installed here, {unknown} without a known licence")


if __name__ == "__main__":
    main()
