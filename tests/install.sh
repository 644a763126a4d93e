#!/usr/bin/env bash
# Installs what the end-to-end suites use beside Rust: FreeTDS's `tsql`, PostgreSQL's server programs, and in a virtual
# environment another TDS client and the SCIM conformance suites of tests/python/requirements.txt.
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
      "${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$1"; } >/dev/null
  else
    echo "The tests need $2. Install the Debian package '$1' (or your system's like of it), then run make test again." >&2
    exit 1
  fi
}
postgres() { # on the PATH, or where Debian puts it
  command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1
}
command -v tsql >/dev/null || package freetds-bin "'tsql' of FreeTDS"
postgres || package postgresql "PostgreSQL's server programs"
command -v python3 >/dev/null || package python3 "Python 3"
wanted=tests/python/requirements.txt
if ! cmp -s "$wanted" "$venv/installed.txt"; then
  mkdir -p target
  rm -rf "$venv"
  if ! python3 -m venv "$venv" 2>/dev/null; then
    package python3-venv "Python's venv"
    python3 -m venv "$venv"
  fi
  echo "installing the Python clients into $venv"
  # The lock names all: pip would ask for a newer release than the locked one for what a package wants with extras.
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --no-deps -r "$wanted"
  cp "$wanted" "$venv/installed.txt"
fi
