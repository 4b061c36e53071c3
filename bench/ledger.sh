#!/usr/bin/env bash
# What the record takes: how fast ends of calls become durable while they are signed, and how long it takes to verify
# them all.
#
#   bench/ledger.sh [RECORDS] [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."

records="${1:-1000000}"
folder="${2:-bench/.cache/ledger}"
target="${CARGO_TARGET_DIR:-target}"
profile="${PROFILE:-dist}"

cargo build --profile "$profile" --locked --bin ledger --bin gatehouse
rm -rf "$folder"
mkdir -p "$folder"
"$target/$profile/ledger" "$folder" "$records"
time "$target/$profile/gatehouse" audit verify --data "$folder"

# What all of it takes on the disk, with the index, against the records alone as zstd makes them.
"$target/$profile/gatehouse" usage --data "$folder" --by team >/dev/null
find "$folder" -type f -printf '%s %f\n' | awk -v records="$records" '
    { n = split($2, part, "."); kind = n > 1 ? part[n] : $2; sum[kind] += $1; all += $1 }
    END { for (kind in sum) printf "  %-12s %8.1f bytes a record\n", kind, sum[kind] / records
          printf "all files %.1f bytes a record\n", all / records }'
if command -v zstd >/dev/null; then
    rm -rf "$folder.copy"
    "$target/$profile/gatehouse" audit export --data "$folder" --format jsonl -o "$folder.copy"
    compressed="$(zstd -q -3 -c "$folder.copy/records.jsonl" | wc -c)"
    awk -v bytes="$compressed" -v records="$records" 'BEGIN {
        one = bytes / records; printf "records compressed %.1f bytes; 1.3 times that and 100: %.1f\n", one, 1.3 * one + 100 }'
    rm -rf "$folder.copy"
fi
