# `make run` and `make test` are all that is needed to begin; both install what is missing.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
XTASK := cargo run -q --bin xtask --

.PHONY: help run dev test lint bench generate docs setup smoke console browser

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

run: setup ## build the release and serve the sample API
	@scripts/run

dev: setup ## build for development and serve examples/governed, with reload
	@scripts/run --dev

test: setup ## run all tests
	@scripts/test

console: setup ## build the web console, which the next cargo build puts into the program
	@scripts/console build

browser: setup ## check the console and try it in a browser, on a development build
	@scripts/console build
	cargo build -q --bin gatewright
	@scripts/console test

lint: ## format, clippy, crate edges, licences, generated files
	cargo fmt --all --check
	cargo clippy -q --workspace --all-targets -- -D warnings
	$(XTASK) tidy
	$(XTASK) generate --check
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check; else echo 'cargo-deny is not installed: advisories are not looked at'; fi

bench: ## compare with nginx, HAProxy and Envoy; BENCH='--quick' for a short one
	@scripts/setup bench
	PATH="$(CURDIR)/target/bench-tools/bin:$$PATH" cargo run --release -q -p bench -- $(BENCH)

generate: ## write the reference pages and the JSON Schema from the code
	$(XTASK) generate

docs: ## build the book in docs/book
	@if command -v mdbook >/dev/null; then mdbook build docs; else echo 'mdbook is not installed: cargo install mdbook'; exit 1; fi

setup: ## install what is missing from the distribution
	@scripts/setup

smoke: ## build the release, start it, call it, stop it
	cargo build --release --bin gatewright
	@scripts/smoke
