#!/usr/bin/env bash
# Installs what the end-to-end suites use beside Rust: FreeTDS's `tsql`, and python-tds in a virtual environment.
# `install.sh --python` prints that environment's interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
venv=target/test-venv
if [ "${1:-}" = --python ]; then
  echo "$PWD/$venv/bin/python"
  exit 0
fi
package() { # a Debian package, and what it is for
  local root=()
  [ "$(id -u)" = 0 ] || root=(sudo -n)
  if command -v apt-get >/dev/null && "${root[@]}" true 2>/dev/null; then
    echo "installing $1"
    { "${root[@]}" apt-get update -qq &&
      "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$1"; } >/dev/null
  else
    echo "The tests need $2. Install the Debian package '$1' (or your system's like of it), then run make test again." >&2
    exit 1
  fi
}
command -v tsql >/dev/null || package freetds-bin "'tsql' of FreeTDS"
command -v python3 >/dev/null || package python3 "Python 3"
wanted=1.17.1
if [ "$("$venv/bin/python" -c 'import importlib.metadata as m; print(m.version("python-tds"))' 2>/dev/null)" != "$wanted" ]; then
  mkdir -p target
  if ! python3 -m venv "$venv" 2>/dev/null; then
    package python3-venv "Python's venv"
    python3 -m venv "$venv"
  fi
  echo "installing python-tds into $venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "python-tds==$wanted"
fi
