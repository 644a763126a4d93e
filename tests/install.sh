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
debian() { # command, package
  command -v "$1" >/dev/null && return 0
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing $2"
    { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2"; } >/dev/null
  elif command -v sudo >/dev/null && sudo -n true 2>/dev/null && command -v apt-get >/dev/null; then
    echo "installing $2"
    { sudo -n apt-get update -qq && sudo -n DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2"; } >/dev/null
  else
    echo "The tests need '$1'. Install the Debian package '$2' (or your system's like of it), then run make test again." >&2
    exit 1
  fi
}
debian tsql freetds-bin
debian python3 python3
wanted=1.17.1
if [ "$("$venv/bin/python" -c 'import importlib.metadata as m; print(m.version("python-tds"))' 2>/dev/null)" != "$wanted" ]; then
  mkdir -p target
  python3 -m venv "$venv" 2>/dev/null || { debian python3-venv-is-missing python3-venv; python3 -m venv "$venv"; }
  echo "installing python-tds into $venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "python-tds==$wanted"
fi
