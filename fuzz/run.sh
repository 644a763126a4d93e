#!/bin/sh
# Runs the fuzz targets, each for so many seconds (600), and keeps what they learnt in corpus/*.txt.
#   fuzz/run.sh [SECONDS] [TARGET …]
# Needs a nightly toolchain and cargo-fuzz. A broken law ends the run; the input that broke it lies in work/artifacts.
set -eu
cargo fuzz --version >/dev/null 2>&1 || { echo "cargo-fuzz is not there: cargo install cargo-fuzz" >&2; exit 2; }
cd "$(dirname "$0")"
seconds=${1:-600}
[ $# -gt 0 ] && shift
[ $# -gt 0 ] || set -- filter path patch body bulk
# libFuzzer's memory limit is the law on memory: no input of the size of a request may need more.
laws="-max_len=16384 -timeout=5 -rss_limit_mb=1024"
work=${AXON_FUZZ_WORK:-../target/fuzz-work}
for target; do
    corpus=$work/corpus/$target
    python3 corpus.py unpack "corpus/$target.txt" "$corpus"
    python3 corpus.py unpack "seeds/$target.txt" "$corpus"
    mkdir -p "$work/artifacts" "$work/small"
    export CARGO_TARGET_DIR="$work/build"
    cargo +nightly fuzz build --fuzz-dir . "$target"
    # shellcheck disable=SC2086 # the laws are several words
    cargo +nightly fuzz run --fuzz-dir . "$target" "$corpus" -- \
        $laws -max_total_time="$seconds" -dict=dictionary.txt -artifact_prefix="$work/artifacts/$target-" -print_final_stats=1
    rm -rf "$work/small/$target" && mkdir "$work/small/$target"
    # shellcheck disable=SC2086
    cargo +nightly fuzz run --fuzz-dir . "$target" "$work/small/$target" "$corpus" -- -merge=1 $laws
    python3 corpus.py pack "$work/small/$target" "corpus/$target.txt" 250
done
