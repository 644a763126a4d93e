#!/bin/sh
# Plants the bugs of tests/simulation/planted into one copy of the last commit, each behind a switch of its own: where a patch says
# PLANTED, the copy asks whether AXON_PLANTED_BUG names that patch. With no bug switched on stories must break nothing; with each
# one, alone, one of them must fail, and the seed that failed must fail again by itself, in the same words.
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
unset AXON_PLANTED_BUG
soak=$folder/soak
[ $# -gt 0 ] || set -- "$root"/tests/simulation/planted/*.patch
for patch in "$@"; do
    name=$(basename "$patch" .patch)
    switch="std::env::var_os(\"AXON_PLANTED_BUG\").is_some_and(|bug| bug == \"$name\")"
    if ! sed "/^+[^+]/s/PLANTED/$switch/" "$patch" | patch --quiet --no-backup-if-mismatch -p1 -d "$copy"; then
        echo "DOES NOT APPLY  $name"
        exit 1
    fi
done
if ! cargo build --quiet --manifest-path "$copy/Cargo.toml" -p axon-simulation --bin soak 2>"$folder/build.log"; then
    echo "DOES NOT BUILD: see $folder/build.log"
    exit 1
fi
cp "$CARGO_TARGET_DIR/debug/soak" "$soak"
"$soak" --seeds 20 >/dev/null || { echo "STORIES FAIL WITHOUT A BUG"; exit 1; }
echo "20 stories without a bug break nothing"
missed=0
for patch in "$@"; do
    AXON_PLANTED_BUG=$(basename "$patch" .patch)
    export AXON_PLANTED_BUG
    found=$("$soak" --seeds "$seeds" 2>&1 >/dev/null | sed -n '/^seed /{p;q}')
    # seed N, step M: words
    seed=${found#seed }
    seed=${seed%%,*}
    if [ -z "$found" ]; then
        echo "MISSED  $AXON_PLANTED_BUG"
        missed=$((missed + 1))
    elif again=$("$soak" --seed "$seed" 2>&1 | head -n 1) && [ "$again" = "$found" ]; then
        echo "caught  $AXON_PLANTED_BUG: $found"
    else
        echo "CAUGHT BUT NOT REPLAYED  $AXON_PLANTED_BUG: $found / $again"
        missed=$((missed + 1))
    fi
done
echo "$# planted, $(($# - missed)) caught and replayed"
[ "$missed" -eq 0 ]
