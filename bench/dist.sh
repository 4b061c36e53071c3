#!/usr/bin/env bash
# The binary that is shipped, optimised by a profile of its own work: an instrumented build serves the bench's
# load once, and the second build lays the code out by what that one ran through. Two builds of some five minutes.
#
#   bench/dist.sh            leaves target/shipped/gatehouse
#
# Needs llvm-profdata of LLVM 19 or later: `rustup component add llvm-tools`, or Debian's llvm-19.
set -euo pipefail
cd "$(dirname "$0")/.."

target="${CARGO_TARGET_DIR:-$PWD/target}"
triple="$(rustc -vV | awk '/^host:/ { print $2 }')"
profiles="$target/pgo"

find_profdata() {
    local own
    own="$(rustc --print sysroot)/lib/rustlib/$triple/bin/llvm-profdata"
    [ -x "$own" ] && { echo "$own"; return; }
    for version in "" -22 -21 -20 -19; do
        local found
        found="$(command -v "llvm-profdata$version")" || continue
        # Older ones do not read what this compiler writes.
        [ "$("$found" --version | grep -oE 'LLVM version [0-9]+' | grep -oE '[0-9]+$')" -ge 19 ] || continue
        echo "$found"
        return
    done
    echo "llvm-profdata is needed: rustup component add llvm-tools, or Debian's llvm-19" >&2
    exit 2
}
profdata="$(find_profdata)"

build() { # flags, folder: a target is named so that build scripts are built without the flags
    RUSTFLAGS="$1" CARGO_TARGET_DIR="$target/$2" \
        cargo build --profile dist --locked --bin gatehouse --target "$triple"
}

rm -rf "$profiles"
mkdir -p "$profiles" "$target/shipped"
build "-Cprofile-generate=$profiles" instrumented
GATEHOUSE="$target/instrumented/$triple/dist/gatehouse" bench/run.sh --rounds 1 --idle 200 --out "$profiles/bench.md" >/dev/null
"$profdata" merge -o "$profiles/gatehouse.profdata" "$profiles"/*.profraw
build "-Cprofile-use=$profiles/gatehouse.profdata" guided
cp "$target/guided/$triple/dist/gatehouse" "$target/shipped/gatehouse"
echo "$target/shipped/gatehouse"
