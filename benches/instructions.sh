#!/usr/bin/env bash
# Instructions of one operation on every hot path: compiled without instrumentation, at level off, at level counters.
#
# usage: benches/instructions.sh [PATH ...]
#
# They come from callgrind (valgrind): a shared machine does not disturb them. One operation is the difference between COUNT and
# 2 × COUNT, so that filling the database does not count. Where the system puts the memory is worth a few instructions (copies take
# another way if they are aligned), so addresses are not randomised. Level sampled is not among them: under valgrind
# time runs slower, and the sampling interval adapts to that.
#
# Ends with 1 if level counters costs more instructions than the bound of its path.
set -euo pipefail
cd "$(dirname "$0")/.."

# What counting may cost, in instructions per operation: the most that was measured in several runs, and 5 % more.
declare -A BOUND=(
    [get_memtable]=14
    [get_table]=65
    [get_missing]=35
    [set]=53
    [scan]=445
    [steps]=9
    [steps_borrowed]=9
)
PATHS=(get_memtable get_table get_missing set scan steps steps_borrowed)
[ $# -eq 0 ] || PATHS=("$@")
COUNT=2000

command -v valgrind >/dev/null || { echo "valgrind is not installed" >&2; exit 2; }
target=${CARGO_TARGET_DIR:-target}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
# What the compiler says matters only if it fails: without instrumentation it warns of the recorder's unused parts.
build() {
    cargo build --release -p bettong-benches --bin instructions --target-dir "$@" 2>"$out/log" || { cat "$out/log" >&2; exit 2; }
}
build "$target/overhead-on"
build "$target/overhead-off" --features off

# Instructions inside of bettong_benches::paths and all it calls: BINARY PATH LEVEL COUNT
total() {
    setarch "$(uname -m)" -R valgrind --tool=callgrind --callgrind-out-file="$out/callgrind" \
        --toggle-collect='bettong_benches::paths::*' "$@" 2>"$out/log" >&2 || { cat "$out/log" >&2; exit 2; }
    awk '/Collected/ { print $NF }' "$out/log"
}

# Per operation: BUILD PATH LEVEL
each() {
    local binary="$target/overhead-$1/release/instructions" once twice
    once=$(total "$binary" "$2" "$3" "$COUNT")
    twice=$(total "$binary" "$2" "$3" "$((2 * COUNT))")
    awk -v once="$once" -v twice="$twice" -v count="$COUNT" 'BEGIN { printf "%.1f", (twice - once) / count }'
}

printf '%-13s %12s %10s %10s %12s %8s\n' path 'compiled out' off counters difference bound
failed=0
for path in "${PATHS[@]}"; do
    bound=${BOUND[$path]:?no such path: $path}
    absent=$(each off "$path" off)
    off=$(each on "$path" off)
    counters=$(each on "$path" counters)
    more=$(awk -v a="$absent" -v b="$counters" 'BEGIN { printf "%.1f", b - a }')
    verdict=
    if awk -v more="$more" -v bound="$bound" 'BEGIN { exit !(more > bound) }'; then
        verdict='  too many'
        failed=1
    fi
    printf '%-13s %12s %10s %10s %12s %8s%s\n' "$path" "$absent" "$off" "$counters" "$more" "$bound" "$verdict"
done
exit "$failed"
