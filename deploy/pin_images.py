"""Pins the images that deploy/ names by the digests that their tags have now: `make pin-images`.

    python deploy/pin_images.py [--check] [--registry URL]

Writes name:tag@sha256:digest in place of name:tag, for every architecture of the image, since the digest is that of
its index. `--check` changes nothing, and fails if one has no digest. The images of the project itself, which have none
before they are built, are left alone, and so are the generated files of deploy/serving: `serving.deployment.tag` takes
a tag with a digest too, which is printed. Standard library only.
"""

import argparse
import json
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
DOCKER_HUB = "https://registry-1.docker.io"
OWN = "registry.example/"
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
SERVING = "tensorflow/serving"

_TAG = r"(?P<tag>[A-Za-z0-9_][\w.-]*)(?P<digest>@sha256:[0-9a-f]{64})?$"
_NAMED = re.compile(rf"^(?P<before>\s*(?:- )?image: |ARG \w+=)(?P<name>[a-z0-9][\w./-]*):{_TAG}", re.MULTILINE)
_FROM = re.compile(r"^FROM (?P<name>[\w./-]+):\$\{(?P<variable>\w+)\}", re.MULTILINE)


def references(text: str) -> list[tuple[re.Match[str], str]]:
    """Each place of a tag in a manifest or Dockerfile, with its image's name."""
    found = [(match, match["name"]) for match in _NAMED.finditer(text)]
    for used in _FROM.finditer(text):
        match = re.search(rf"^(?P<before>ARG {used['variable']}=){_TAG}", text, re.MULTILINE)
        if match:
            found.append((match, used["name"]))
    return [(match, name) for match, name in found if not name.startswith(OWN)]


def pinned(text: str, registry: str) -> str:
    """The text with the digest of each image; one that is there already is renewed."""
    for match, name in sorted(references(text), key=lambda found: -found[0].start()):
        digest = digest_of(name, match["tag"], registry)
        start, end = match.start("tag"), match.end()
        text = f"{text[:start]}{match['tag']}@{digest}{text[end:]}"
    return text


def digest_of(name: str, tag: str, registry: str) -> str:
    """The digest that a tag has in a registry.

    Raises:
        OSError: the registry does not answer, or has no such image.
    """
    repository = name if "/" in name else f"library/{name}"
    url = f"{registry}/v2/{repository}/manifests/{tag}"
    headers = {"Accept": ", ".join(INDEXES)}
    try:
        return _head(url, headers)
    except urllib.error.HTTPError as error:
        demanded = dict(re.findall(r'(\w+)="([^"]*)"', error.headers.get("WWW-Authenticate", "")))
        if error.code != 401 or "realm" not in demanded:
            raise
    query = urllib.parse.urlencode({"service": demanded.get("service", ""), "scope": f"repository:{repository}:pull"})
    with urllib.request.urlopen(f"{demanded['realm']}?{query}", timeout=30) as answer:
        token = json.load(answer)["token"]
    return _head(url, {**headers, "Authorization": f"Bearer {token}"})


def _head(url: str, headers: dict[str, str]) -> str:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers, method="HEAD"), timeout=30) as answer:
        digest = answer.headers.get("Docker-Content-Digest", "")
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest):
        raise OSError(f"{url}: the registry gives no digest")
    return str(digest)


def files(folder: Path) -> list[Path]:
    """The manifests and Dockerfiles, without what is generated."""
    found = [*folder.rglob("*.yaml"), *folder.rglob("Dockerfile*")]
    return sorted(path for path in found if path.relative_to(folder).parts[0] != "serving")


def main() -> int:
    """Parses the command line, pins or checks, and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing, and fail if an image has no digest")
    parser.add_argument("--registry", default=DOCKER_HUB, help="where the images are (%(default)s)")
    parser.add_argument("--folder", type=Path, default=HERE, help=argparse.SUPPRESS)
    options = parser.parse_args()
    texts = {path: path.read_text(encoding="utf-8") for path in files(options.folder)}
    if options.check:
        lacking = [
            f"{path.relative_to(options.folder)}: {name}:{match['tag']}"
            for path, text in texts.items()
            for match, name in references(text)
            if not match["digest"]
        ]
        print("\n".join([*lacking, f"pin-images: {len(lacking)} references have no digest"]))
        return 1 if lacking else 0
    try:
        # Nothing is written before all digests are known.
        changed = {path: pinned(text, options.registry) for path, text in texts.items()}
        compose = options.folder / "serving/docker-compose.yml"
        served = re.search(rf"image: {SERVING}:([\w.-]+)", compose.read_text() if compose.exists() else "")
        advice = f"{served[1]}@{digest_of(SERVING, served[1], options.registry)}" if served else None
    except OSError as error:
        print(f"pin-images: {options.registry} cannot be asked: {error}", file=sys.stderr)
        return 1
    for path, text in changed.items():
        if text != texts[path]:
            path.write_text(text, encoding="utf-8")
            print(path)
    if advice:
        print(f"for TensorFlow Serving, set serving.deployment.tag: {advice} and run `janus deployment CONFIG`")
    return 0


if __name__ == "__main__":
    sys.exit(main())
