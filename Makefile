# Two commands: `make run` and `make test`. On a fresh Debian or Ubuntu with Rust, Node.js and Python.

# The profile of the binary that `make run`, `make demo` and `make bench` use.
BINARY := target/release/gatehouse

.PHONY: run test check demo dist bench clients fmt real-model help

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

run: ## build the gateway and start it
	cargo build --release --locked --bin gatehouse
	$(BINARY) serve

demo: ## the gateway on simulated providers, with traffic of several teams
	cargo build --release --locked --bin gatehouse
	$(BINARY) demo --data target/demo

test: ## install what the tests need and run them all
	cargo build --locked --workspace --all-targets
	cargo test --locked --workspace
	./tests/clients/run.sh
	./tests/recorded/run.sh

check: ## formatting and lints, without tests
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings

dist: ## the binary that is shipped, optimised by a profile of its own work (two builds)
	./bench/dist.sh

bench: ## the benches: ratios against nginx and others in one run
	./bench/run.sh

real-model: ## a real model server on loopback (compiles llama.cpp: some 20 minutes)
	./tests/real-model/run.sh
