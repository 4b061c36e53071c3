#!/usr/bin/env bash
# LiteLLM and the Portkey gateway under the same load as the gateway: installed into bench/.cache from their
# package registries, started on the same simulated provider, measured in the same run.
#
#   bench/peers.sh [arguments of gatehouse-bench]      needs Python 3.10+ with venv, Node.js with npm
set -euo pipefail
cd "$(dirname "$0")/.."

litellm_version="${LITELLM_VERSION:-}"
portkey_version="${PORTKEY_VERSION:-}"
cache="$PWD/bench/.cache"
sim=127.0.0.1:18790
litellm_port=18791
portkey_port=18792
mkdir -p "$cache/portkey"

if [ ! -x "$cache/litellm/bin/litellm" ]; then
    echo "installing LiteLLM" >&2
    "${PYTHON:-python3}" -m venv "$cache/litellm"
    "$cache/litellm/bin/pip" install -q "litellm[proxy]${litellm_version:+==$litellm_version}"
fi
portkey="$cache/portkey/node_modules/@portkey-ai/gateway/build/start-server.js"
if [ ! -f "$portkey" ]; then
    echo "installing the Portkey gateway" >&2
    npm install --silent --no-audit --no-fund --prefix "$cache/portkey" "@portkey-ai/gateway${portkey_version:+@$portkey_version}"
fi

cat >"$cache/litellm.yaml" <<EOF
model_list:
  - model_name: bench
    litellm_params: { model: openai/bench, api_base: "http://$sim/v1", api_key: bench }
  - model_name: stall-1
    litellm_params: { model: openai/stall-1, api_base: "http://$sim/v1", api_key: bench }
general_settings: { master_key: sk-bench }
litellm_settings: { telemetry: false }
EOF

LITELLM_LOG=ERROR "$cache/litellm/bin/litellm" --config "$cache/litellm.yaml" --host 127.0.0.1 \
    --port "$litellm_port" --telemetry False >"$cache/litellm.log" 2>&1 &
litellm_pid=$!
NODE_ENV=production node "$portkey" --headless --port="$portkey_port" >"$cache/portkey.log" 2>&1 &
portkey_pid=$!
trap 'kill "$litellm_pid" "$portkey_pid" 2>/dev/null || true' EXIT

for port in "$litellm_port" "$portkey_port"; do
    for _ in $(seq 600); do
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && continue 2
        sleep 0.2
    done
    echo "nothing listens on $port: see the logs in $cache" >&2
    exit 1
done

cat >"$cache/peers.json" <<EOF
[
  { "name": "LiteLLM", "address": "127.0.0.1:$litellm_port", "pid": $litellm_pid,
    "headers": { "authorization": "Bearer sk-bench" } },
  { "name": "Portkey", "address": "127.0.0.1:$portkey_port", "pid": $portkey_pid,
    "headers": { "authorization": "Bearer bench", "x-portkey-provider": "openai",
                 "x-portkey-custom-host": "http://$sim/v1" } }
]
EOF
# They are given as many idle streams as a minute allows.
bench/run.sh --sim "$sim" --peers "$cache/peers.json" --idle 200 --rounds 3 "$@"
