#!/usr/bin/env bash
# Compiles a configuration for Kubeflow and builds the image that its section `kubeflow` names. `make image` calls it.
#
#   deploy/image.sh configs/X.yaml [arguments of docker build]
#
#   DOCKER=podman            instead of the first of docker, podman and buildah that answers
#   PIP_CONFIG_FILE=FILE     settings of pip, for another package index than the public one
#   UV_CONFIG_FILE=FILE      settings of uv, the same
#
# The image holds the bundle that was compiled with the pipeline: build and submit from the same configuration.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() { echo "image: $*" >&2; exit 1; }

[ $# -gt 0 ] || { echo "usage: deploy/image.sh configs/X.yaml [arguments of docker build]" >&2; exit 2; }
config=$1
shift
[ -x .venv/bin/janus ] || fail "there is no environment: run \`make setup\` first."

engine='' reason=''
for candidate in ${DOCKER:-docker podman buildah}; do
  command -v "$candidate" >/dev/null || continue
  answer=$("$candidate" version 2>&1 >/dev/null) && { engine=$candidate; break; }
  reason="$candidate does not answer: ${answer##*$'\n'}"
done
[ -n "$engine" ] || fail "an image is built by Docker, Podman or Buildah. ${reason:-Installed is none of them (looked for: ${DOCKER:-docker podman buildah})}."
# Buildah needs neither an engine nor, this way, namespaces of its own. It keeps layers for the next build only if asked,
# which with its driver vfs would store the whole image once more for each of them.
options=()
if [ "${engine##*/}" = buildah ]; then
  options=(--isolation chroot)
  [ "$("$engine" info --format '{{.store.GraphDriverName}}')" = vfs ] || options+=(--layers)
fi

# Compiled first, since it says what is wrong with a configuration. It goes where the build's context includes it.
.venv/bin/janus kubeflow compile "$config"
settings=$(.venv/bin/python -B - "$config" <<'PYTHON'
import sys
from pathlib import Path

from pipeline.config.file import load_config
from pipeline.kubeflow.bundle import required

config = load_config(Path(sys.argv[1]), [])
print(config.name, required(config).image, required(config).bundle)
PYTHON
)
read -r name image bundle_to <<<"$settings"

secrets=()
[ -z "${PIP_CONFIG_FILE:-}" ] || secrets+=(--secret "id=pip.conf,src=$PIP_CONFIG_FILE")
[ -z "${UV_CONFIG_FILE:-}" ] || secrets+=(--secret "id=uv.toml,src=$UV_CONFIG_FILE")
DOCKER_BUILDKIT=1 "$engine" build "${options[@]}" --file deploy/Dockerfile --tag "$image" \
  --build-arg "BUNDLE=deploy/kubeflow/$name/bundle" --build-arg "BUNDLE_TO=$bundle_to" "${secrets[@]}" "$@" .
echo "image: $image is built; push it (\`$engine push $image\`) to where the cluster's nodes pull from"
