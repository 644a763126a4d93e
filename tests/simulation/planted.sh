#!/bin/sh
# Plants each bug of tests/simulation/planted into a copy of the last commit, tells stories there, and expects one to fail.
#   tests/simulation/planted.sh [SEEDS] [PATCH...]
set -eu
root=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
seeds=${1:-300}
[ $# -gt 0 ] && shift
copy=$root/target/planted/copy
rm -rf "$copy"
mkdir -p "$copy"
git -C "$root" archive HEAD | tar -x -C "$copy"
export CARGO_TARGET_DIR="$root/target/planted/out"
[ $# -gt 0 ] || set -- "$root"/tests/simulation/planted/*.patch
missed=0
for patch in "$@"; do
    name=$(basename "$patch" .patch)
    patch --quiet -p1 -d "$copy" <"$patch"
    cargo build --quiet --manifest-path "$copy/Cargo.toml" -p axon-simulation --bin soak 2>/dev/null
    if seed=$("$CARGO_TARGET_DIR/debug/soak" --seeds "$seeds" 2>&1 >/dev/null | head -n 1) && [ -n "$seed" ]; then
        echo "caught  $name: $seed"
    else
        echo "MISSED  $name"
        missed=$((missed + 1))
    fi
    patch --quiet --reverse -p1 -d "$copy" <"$patch"
done
exit "$missed"
