# Postroad's commands. A `##` comment behind a target is its line in `make help`.
SHELL := /bin/sh
BIN := .venv/bin
STACK := $(BIN)/postroad-stack run --
PYTEST := $(BIN)/python -m pytest
TESTS := tests/acceptance tests/integration tests/architecture tests/unit
ALONE := tests/acceptance
IN_PARALLEL := -n 4 --dist loadscope --no-loadscope-reorder
CODE := $(wildcard libs/*/src) $(wildcard services/*/src) $(wildcard clients/*/src) clients/python/generator $(wildcard tests) $(wildcard bench) $(wildcard examples/demo)
SEED := $(or $(SEED),$(shell date +%s))
DRAWN := --hypothesis-seed=$(SEED)
ARGS ?=
.DEFAULT_GOAL := help
# Compiled modules are kept, whatever the shell says: the tests start more than a hundred processes.
export PYTHONDONTWRITEBYTECODE :=
.PHONY: help setup lock lint types imports test prove bench demo docker-test docs format clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Make .venv from the lock; installs what is missing, again only what changed
	@scripts/setup

demo: setup ## Start everything and play a sequence with its recipients; ARGS=--once ends by itself
	@$(BIN)/python -m examples.demo $(ARGS)

test: setup ## The proofs at reduced size, with real servers
	@POSTROAD_STACK_IN_MEMORY=1 $(STACK) sh -c '$(PYTEST) $(IN_PARALLEL) -m "not prove and not alone" $(TESTS) && $(PYTEST) -m "not prove and alone" $(ALONE)'

prove: setup ## All proofs at full size; SEED=N repeats a run
	@echo "prove: full size, SEED=$(SEED)"
	@POSTROAD_PROVE=1 POSTROAD_PROVE_SEED=$(SEED) $(STACK) sh -c '$(PYTEST) $(DRAWN) $(IN_PARALLEL) -m "not alone" $(TESTS) && $(PYTEST) $(DRAWN) -m alone $(ALONE)'

docker-test: setup ## The image and docker-compose.yml on this machine's engine, with the demo's player
	@$(PYTEST) -rs -s --durations=0 tests/acceptance/test_docker.py

bench: setup ## Figures, each beside its reference in the same run
	@$(BIN)/python -m bench $(ARGS)

lint: setup ## Formatting, ruff, and no package host in a lock
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/ruff check --quiet .
	@! grep -nE '[a-z]+://|--(extra-)?index-url|--find-links' requirements/*.txt

types: setup ## mypy, strict
	@$(BIN)/mypy $(CODE)

imports: setup ## Which package may import which
	@$(BIN)/lint-imports

format: setup ## Put the code in shape
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

docs: setup ## Write the generated pages of docs/ again, and what the Python client has of them
	@$(BIN)/python -m postroad_engine.state_machine_page > docs/state-machine.md
	@$(BIN)/python -m postroad_common.settings_page $(SETTINGS) > docs/settings.md
	@$(BIN)/python -m postroad_common.metrics_page $(METRICS) > docs/metrics.md
	@$(BIN)/python -m postroad_sequence_api.openapi_file > docs/openapi.json
	@$(BIN)/python -m postroad_sequence_api.webhooks.events_page > docs/webhook-events.md
	@$(BIN)/python -m clients.python.generator

lock: setup ## Resolve requirements/*.in again into hash-pinned locks
	@$(BIN)/pip --disable-pip-version-check -qq install uv
	@$(COMPILE) requirements/runtime.in requirements/tools.in -o requirements/dev.txt
	@$(COMPILE) requirements/runtime.in -c requirements/dev.txt -o requirements/runtime.txt
	@$(COMPILE) requirements/build.in -c requirements/dev.txt -o requirements/build.txt

clean: ## Remove everything that was made
	@rm -rf .venv .postroad dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

SETTINGS = $(foreach service,SequenceApi:sequence_api Scheduler:scheduler Sender:sender Tracker:tracker,\
	postroad_$(word 2,$(subst :, ,$(service))).settings:$(word 1,$(subst :, ,$(service)))Settings)

METRICS = postroad_common.metrics $(foreach file,$(wildcard services/*/src/*/metrics.py),$(notdir $(patsubst %/metrics.py,%,$(file))).metrics)

COMPILE = $(BIN)/uv pip compile --quiet --universal -p 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links
