#!/usr/bin/env bash
# The real clients against the gateway. Needs Python 3.11 and Node.js; installs the rest into .cache here.
set -euo pipefail
cd "$(dirname "$0")"
python="${PYTHON:-python3}"
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "Python 3.11 or newer is needed; PYTHON names another one" >&2
    exit 2
fi
exec "$python" run.py "$@"
