#!/bin/sh
# Plants each bug of tests/simulation/planted into a copy of the last commit, tells stories there, and expects one to fail; then
# tells the seed that failed again, by itself, and expects it to fail in the same words.
#   tests/simulation/planted.sh [SEEDS] [PATCH...]
# AXON_PLANTED is the folder of the copy and of what is built; target/planted without it.
set -eu
root=$(git -C "$(dirname "$0")" rev-parse --show-toplevel)
seeds=${1:-300}
[ $# -gt 0 ] && shift
folder=${AXON_PLANTED:-$root/target/planted}
copy=$folder/copy
rm -rf "$copy"
mkdir -p "$copy"
git -C "$root" archive HEAD | tar -x -C "$copy"
export CARGO_TARGET_DIR="$folder/out"
soak=$CARGO_TARGET_DIR/debug/soak
build() {
    cargo build --quiet --manifest-path "$copy/Cargo.toml" -p axon-simulation --bin soak 2>"$folder/build.log"
}
[ $# -gt 0 ] || set -- "$root"/tests/simulation/planted/*.patch
missed=0
for patch in "$@"; do
    name=$(basename "$patch" .patch)
    patch --quiet -p1 -d "$copy" <"$patch"
    if ! build; then
        echo "DOES NOT BUILD  $name: see $folder/build.log"
        missed=$((missed + 1))
    elif found=$("$soak" --seeds "$seeds" 2>&1 >/dev/null | head -n 1) && [ -n "$found" ]; then
        # seed N, step M: words
        seed=${found#seed }
        seed=${seed%%,*}
        if again=$("$soak" --seed "$seed" 2>&1 | head -n 1) && [ "$again" = "$found" ]; then
            echo "caught  $name: $found"
        else
            echo "CAUGHT BUT NOT REPLAYED  $name: $found / $again"
            missed=$((missed + 1))
        fi
    else
        echo "MISSED  $name"
        missed=$((missed + 1))
    fi
    patch --quiet --reverse -p1 -d "$copy" <"$patch"
done
exit "$missed"
