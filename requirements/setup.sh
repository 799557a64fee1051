#!/usr/bin/env bash
# Makes .venv for this machine, or brings it up to date; quick when nothing changed. `make setup` calls it.
#
#   STACK=modern|portable   instead of the stack that fits the machine
#   --quiet                 says nothing when there is nothing to do
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
stamp=.venv/.janus

fail() { echo "setup: $*" >&2; exit 1; }

is_python311() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; }

digest() { # of all that the environment is made from
  { cat "requirements/$1.txt" requirements/{setup.sh,install.py} pyproject.toml; } | sha256sum | cut -d ' ' -f 1
}

make_venv() {
  local python found=
  for python in "${PYTHON:-python3.11}" python3.11 python3 python; do
    is_python311 "$python" || continue
    found=$python
    "$python" -c 'import venv, ensurepip' 2>/dev/null && { "$python" -m venv .venv; return; }
  done
  if command -v uv >/dev/null && uv venv --quiet --no-project --python 3.11 .venv 2>/dev/null; then return; fi
  rm -rf .venv
  [ -z "$found" ] || fail "$found lacks the module venv (Debian, Ubuntu: apt-get install python3.11-venv)."
  fail "Python 3.11 is needed and was not found: install it so that \`python3.11\` runs, or install uv, which can bring it."
}

# Two calls at the same time would overwrite each other's work: the second one waits.
if command -v flock >/dev/null; then exec 9<requirements/setup.sh; flock 9; fi

if [ -e .venv ] && ! is_python311 .venv/bin/python; then
  echo "setup: .venv is not a working Python 3.11 environment; rebuilding it"
  rm -rf .venv
fi
[ -e .venv ] || make_venv

reason=$(mktemp)
trap 'rm -f "$reason"' EXIT
stack=$(.venv/bin/python -B requirements/stack.py 2>"$reason") || { cat "$reason" >&2; exit 2; }
wanted="$stack $(digest "$stack") $PWD"
installed=$(cat "$stamp" 2>/dev/null || true)
if [ "$installed" = "$wanted" ]; then
  [ "${1:-}" = --quiet ] || echo "setup: the $stack stack is ready in .venv ($(cat "$reason"))"
  exit 0
fi

echo "setup: $stack stack: $(cat "$reason")"
why=
case $installed in
  '' | "$stack "*" $PWD") ;;
  "$stack "*) why="was made in another folder" ;;
  *) why="holds the ${installed%% *} stack" ;;
esac
if [ -n "$why" ]; then
  echo "setup: .venv $why; rebuilding it"
  rm -rf .venv
  make_venv
fi
rm -f "$stamp"
.venv/bin/python -B requirements/install.py "$stack"
echo "$wanted" >"$stamp"
echo "setup: done; \`make run\` is next, \`make help\` lists the rest"
