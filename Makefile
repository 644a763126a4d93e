# `make` lists the recipes.
.DEFAULT_GOAL := help
.PHONY: help demo test test-rust lint fmt bench docs dev deps fuzz soak seeds simulation planted

help: ## Lists the recipes
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## Entra and Okta push, Synapse follows: the main job on this machine, no network
	@cargo build --quiet --bin axon
	@cargo run --quiet --bin axon -- demo $(ARGS)

dev: ## The demo, left running, with addresses and a token
	@$(MAKE) --no-print-directory demo ARGS=--keep

deps: ## Installs what the tests need beside Rust and a C compiler
	@./tests/install.sh

# The end-to-end suites that run again with PostgreSQL as the store; the others look at SQLite's files.
ON_POSTGRES = acceptance adopt attack authentication bad_input console drift extensions extraordinary identity integrations isolation leaver maps replay \
	restart story target_trouble views wrong_requests

test: deps ## All tests, the end-to-end suites against the real binary among them, on both stores
	@cargo build --workspace --all-targets
	@AXON_TEST_PYTHON="$$(./tests/install.sh --python)" cargo test --workspace
	@AXON_TEST_PYTHON="$$(./tests/install.sh --python)" AXON_TEST_STORE=postgres \
		cargo test --workspace $(ON_POSTGRES:%=--test %)

lint: ## Formatting, clippy, and which crates stay pure
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets -- -D warnings
	@./tests/purity.sh

fmt: ## Formats all code
	@cargo fmt --all

SOAK = cargo run --quiet --profile soak -p axon-simulation --bin soak --

soak: ## Ten thousand random stories, each fault 500 times or more (docs/SIMULATION.md)
	@$(SOAK) --seeds 10000 --at-least 500 $(ARGS)

seeds: ## As many of these stories as fit ten minutes
	@$(SOAK) --seeds 10000 --seconds 600 $(ARGS)

simulation: ## 200 stories on an SQLite file and over TDS, 100 of failing targets, 50 with real processes and SIGKILL
	@cargo build --quiet --bin axon
	@$(SOAK) --on wire --seeds 200
	@$(SOAK) --on loop --seeds 100
	@AXON_SIMULATION_PROCESSES=50 cargo test --quiet --workspace --test processes -- --nocapture

planted: ## Plants thirty bugs, and looks whether the simulation finds each of them alone
	@./tests/simulation/planted.sh

fuzz: ## Ten minutes for each fuzz target (nightly toolchain, cargo-fuzz)
	@./fuzz/run.sh 600

bench: ## The numbers of docs/PERFORMANCE.md
	@cargo build --release --quiet --bin axon
	@cargo bench --package axon-tests --bench scim
	@cargo bench --package axon-tests --bench push
	@cargo bench --package axon-tests --bench idle
	@cargo bench --package axon-tests --bench held
	@cargo bench --package axon-tests --bench waves
	@cargo bench --package axon-tests --bench noisy
	@cargo bench --package axon-mapping
	@cargo bench --package axon-synapse
	@cargo bench --package axon-reconcile
	@cargo bench --package axon-controller
	@cargo bench --package axon-azure

docs: ## The API documentation of the crates
	@cargo doc --workspace --no-deps
