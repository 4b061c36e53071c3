#!/usr/bin/env bash
# The benches: the gateway beside nginx as a plain reverse proxy, in one run. Builds the binary that is
# shipped, installs nginx where there is none, prints a table and keeps it in bench/results/latest.md.
#
#   bench/run.sh [arguments of gatehouse-bench, see --help]
#   GATEHOUSE=path/to/gatehouse bench/run.sh      an own binary instead of building one
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-target}"
mkdir -p bench/.cache bench/results

if ! command -v nginx >/dev/null && [ ! -x /usr/sbin/nginx ]; then
    echo "installing nginx, the floor of the comparison (Debian package)" >&2
    sudo=""
    [ "$(id -u)" -eq 0 ] || sudo="sudo"
    $sudo apt-get install -y -qq nginx-light >/dev/null 2>&1 || $sudo apt-get install -y -qq nginx >/dev/null
fi
nginx="$(command -v nginx || echo /usr/sbin/nginx)"

cargo build --profile dist --locked --bin gatehouse-bench
if [ -z "${GATEHOUSE:-}" ]; then
    cargo build --profile dist --locked --bin gatehouse
    GATEHOUSE="$target/dist/gatehouse"
fi

# Each idle stream costs the gateway two files, so the limit decides how many there can be.
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
idle=$((($(ulimit -n) - 400) / 2))
if [ "$idle" -gt 10000 ]; then idle=10000; else echo "the limit of open files allows $idle idle streams" >&2; fi

rm -rf bench/.cache/run
exec "$target/dist/gatehouse-bench" --gatehouse "$GATEHOUSE" --nginx "$nginx" --idle "$idle" "$@"
