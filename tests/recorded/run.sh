#!/usr/bin/env bash
# Recorded answers of providers, replayed behind the gateway to the official clients. The recordings are not
# part of the project: without them this says so and is content. Needs Python 3.11.
set -euo pipefail
cd "$(dirname "$0")"
python="${PYTHON:-python3}"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Python 3.11 or newer is needed; PYTHON names another one" >&2
    exit 2
fi
exec "$python" run.py "$@"
