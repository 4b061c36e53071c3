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
