#!/usr/bin/env bash
# Instructions of one operation on every hot path: compiled without instrumentation, at level off, at level counters.
#
# usage: benches/instructions.sh [--accept | PATH ...]
#
# They come from callgrind (valgrind): a shared machine does not disturb them. One operation is the difference between COUNT and
# 2 × COUNT, so that filling the database does not count. What remains of chance is some thousand instructions in all of a run,
# for what the allocator finds when blocks come into the cache: COUNT divides them, and counts repeat within 0.3 %. Level sampled
# is not among them: under valgrind time runs slower, and the sampling interval adapts to that.
#
# Ends with 1 if level counters costs more instructions than the bound of its path, or if a count differs by more than 2 % from
# benches/instructions.expected, in either direction: what became cheaper must not become dear again unseen. --accept writes that
# file anew.
set -euo pipefail
# A count that fails must end the script, from inside of $(…) too.
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

# What counting may cost, in instructions per operation: the most that was measured in several runs, and 5 % more.
declare -A BOUND=(
    [get_memtable]=14
    [get_table]=42
    [get_missing]=21
    [set]=46
    [scan]=240
    [steps]=9
    [steps_borrowed]=9
)
PATHS=(get_memtable get_table get_missing set scan steps steps_borrowed)
COUNT=10000
EXPECTED=benches/instructions.expected
TOLERANCE=2

accept=
if [ "${1-}" = --accept ]; then
    [ $# -eq 1 ] || { echo "--accept takes all paths" >&2; exit 2; }
    accept=1
elif [ $# -gt 0 ]; then
    PATHS=("$@")
fi

command -v valgrind >/dev/null || { echo "valgrind is not installed" >&2; exit 2; }
target=${CARGO_TARGET_DIR:-target}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# One way to build wherever this runs, whatever the environment says: with 16 codegen units a set is 20 % longer, and programs for
# another processor are others.
export CARGO_PROFILE_RELEASE_CODEGEN_UNITS=1 CARGO_PROFILE_RELEASE_DEBUG=0 CARGO_PROFILE_RELEASE_OPT_LEVEL=3 CARGO_ENCODED_RUSTFLAGS=
# Both at once, since the engine in one codegen unit keeps one processor busy. What the compiler says matters only if it fails:
# without instrumentation it warns of the recorder's unused parts.
build() { cargo build --release -p bettong-benches --bin instructions --target-dir "$target/overhead-$1" "${@:2}" 2>"$out/build-$1"; }
build off --features off &
other=$!
build on || { cat "$out/build-on" >&2; exit 2; }
wait "$other" || { cat "$out/build-off" >&2; exit 2; }

# What counts depend on beside the code: the compiler; the system's copies and comparisons, chosen by what the processor can do.
# Valgrind shows programs a processor of its own, the same everywhere but for AVX2, which it has where the machine has it.
made_with() {
    echo "$(rustc --version), $(getconf GNU_LIBC_VERSION), $(valgrind --version), $(uname -m) $(grep -qw avx2 /proc/cpuinfo && echo with || echo without) avx2"
}

# Where the system puts the memory is worth an instruction or two (copies take another way if they are aligned), so addresses are
# not randomised where that is permitted. In many containers it is not.
fixed=(setarch "$(uname -m)" -R)
"${fixed[@]}" true 2>/dev/null || fixed=()

# Instructions inside of bettong_benches::paths and all it calls: BINARY PATH LEVEL COUNT
total() {
    "${fixed[@]}" valgrind --tool=callgrind --callgrind-out-file="$out/callgrind" \
        --toggle-collect='bettong_benches::paths::*' "$@" 2>"$out/log" >&2 || { cat "$out/log" >&2; exit 2; }
    awk '/Collected/ { print $NF }' "$out/log"
}

# Per operation: BUILD PATH LEVEL
each() {
    local binary="$target/overhead-$1/release/instructions" once twice
    once=$(total "$binary" "$2" "$3" "$COUNT")
    twice=$(total "$binary" "$2" "$3" "$((2 * COUNT))")
    awk -v once="$once" -v twice="$twice" -v count="$COUNT" 'BEGIN {
        if (once <= 0 || twice <= once) { print "nothing was counted" > "/dev/stderr"; exit 2 }
        printf "%.1f", (twice - once) / count
    }'
}

made_with=$(made_with)
printf '%-14s %12s %10s %10s %12s %8s\n' path 'compiled out' off counters difference bound
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
    printf '%-14s %12s %10s %10s %12s %8s%s\n' "$path" "$absent" "$off" "$counters" "$more" "$bound" "$verdict"
    printf '%-14s %12s %10s %10s\n' "$path" "$absent" "$off" "$counters" >>"$out/counts"
done

if [ "$accept" ]; then
    {
        echo "# Instructions per operation, written by benches/instructions.sh --accept, which explains them. Made with"
        echo "# $made_with"
        printf '%-14s %12s %10s %10s\n' '# path' compiled_out off counters
        cat "$out/counts"
    } >"$out/expected"
    cp "$out/expected" "$EXPECTED"
    echo "written to $EXPECTED"
    exit "$failed"
fi

# Every column of every path that was counted, beside what is expected.
differs=0
awk -v tolerance="$TOLERANCE" '
    /^#/ { split($0, names); next }
    FILENAME == ARGV[1] { for (i = 2; i <= NF; i++) expected[$1, i] = $i; next }
    {
        for (i = 2; i <= NF; i++) {
            if (!(($1, i) in expected)) { printf "%s: nothing is expected\n", $1; differs = 1; break }
            percent = ($i / expected[$1, i] - 1) * 100
            if (percent > tolerance || percent < -tolerance) {
                printf "%s, %s: %.1f instructions, %.1f %% %s than the %.1f expected\n",
                    $1, names[i + 1], $i, percent < 0 ? -percent : percent, percent < 0 ? "less" : "more", expected[$1, i]
                differs = 1
            }
        }
    }
    END { exit differs }' "$EXPECTED" "$out/counts" >"$out/differences" || differs=1
if [ "$differs" -eq 0 ]; then
    echo "all within $TOLERANCE % of $EXPECTED"
    exit "$failed"
fi
cat "$out/differences"
expected_with=$(sed -n '2s/^# //p' "$EXPECTED")
if [ "$made_with" != "$expected_with" ]; then
    echo "NOT A FAILURE, BUT NOT CHECKED EITHER: $EXPECTED was"
    echo "    made with $expected_with;"
    echo "    here is   $made_with."
    exit "$failed"
fi
echo "More: find out why. Less, or more for a good reason: benches/instructions.sh --accept, and say why in the commit." >&2
exit 1
