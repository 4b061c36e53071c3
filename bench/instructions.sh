#!/usr/bin/env bash
# Instructions that the pieces of the hot path take, against those in instructions.txt: a regression gate
# that does not depend on the machine's load. Needs valgrind.
#
#   bench/instructions.sh            compare; exit 1 when a piece takes over 5 % more
#   bench/instructions.sh --accept   write instructions.txt anew
set -euo pipefail
cd "$(dirname "$0")/.."

tolerance_percent=5
few=200
many=1200
counts=bench/instructions.txt
target="${CARGO_TARGET_DIR:-target}"

command -v valgrind >/dev/null || { echo "valgrind is needed (apt-get install valgrind)" >&2; exit 2; }
cargo build --profile "${PROFILE:-dist}" --locked --bin hot-path
program="$target/${PROFILE:-dist}/hot-path"

# The instructions of a whole run; hash maps and addresses would differ from run to run else.
total() {
    setarch --addr-no-randomize valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 |
        awk '/Collected/ { print $NF }'
}

status=0
measured=$(mktemp)
trap 'rm -f "$measured"' EXIT
for piece in $("$program"); do
    a=$(total "$piece" "$few")
    b=$(total "$piece" "$many")
    now=$(((b - a) / (many - few)))
    echo "$piece $now" >>"$measured"
    before=$(awk -v piece="$piece" '$1 == piece { print $2 }' "$counts" 2>/dev/null || true)
    if [ -z "$before" ]; then
        printf '%-16s %8d instructions, new\n' "$piece" "$now"
        [ "${1:-}" = --accept ] || status=1
        continue
    fi
    change=$(awk -v a="$before" -v b="$now" 'BEGIN { printf "%+.1f", (b - a) * 100 / a }')
    printf '%-16s %8d instructions, %s %%\n' "$piece" "$now" "$change"
    if [ $((now * 100)) -gt $((before * (100 + tolerance_percent))) ] && [ "${1:-}" != --accept ]; then
        echo "$piece takes over $tolerance_percent % more than the $before in $counts" >&2
        status=1
    fi
done
if [ "${1:-}" = --accept ]; then
    { echo "# Instructions of one piece of the hot path (bench/instructions.sh --accept writes this)"; cat "$measured"; } >"$counts"
fi
exit "$status"
