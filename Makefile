# make and python3 >= 3.11 are all that a fresh machine needs. No target needs root, and none minds it.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
DEV_STAMP := .venv/.installed-dev
SHELL := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help demo test test-engines lint bench permissions docs clean

help: ## What can be made
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(STAMP) ## A whole incident in a simulated organisation (STORY=production-export)
	@$(BIN)/vmexport demo $(if $(STORY),--story $(STORY)) $(DEMO)

test: $(DEV_STAMP) ## Every check that needs no outside machine
	@$(BIN)/python -m pytest -n 2 $(PYTEST)

# They are marked by the folders that they stand in (tests/conftest.py).
test-engines: $(DEV_STAMP) ## Tests on a real Trino and a real Elasticsearch, which are fetched once (Java, Maven, 1 GB)
	@VMEXPORT_TEST_TRINO=1 VMEXPORT_TEST_REQUIRE_ELASTICSEARCH=1 $(BIN)/python -m pytest tests/trino tests/elastic $(PYTEST)

lint: $(DEV_STAMP) ## Format, style, types, import contracts
	@$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/basedpyright && $(BIN)/lint-imports

bench: $(DEV_STAMP) ## Timings, each as a ratio to a bare run in the same session
	@$(BIN)/python -m tests.bench && $(BIN)/python -m tests.bench_elastic && $(BIN)/python -m tests.bench_hunting \
		&& $(BIN)/python -m tests.bench_store && $(BIN)/python -m tests.bench_table

permissions: $(STAMP) ## Write deployments/iam and docs/permissions.md from what actions and reads declare
	@$(BIN)/python -m tasks.actions.permissions

clean: ## Remove the environment and the local state of demos and tests
	@rm -rf .venv var build *.egg-info .pytest_cache .ruff_cache .hypothesis

# The lock is complete, so pip resolves nothing (--no-deps) and `pip check` says whether it fits together.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("python3 >= 3.11 is needed, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@echo "making .venv ..."; $(PYTHON) -m venv .venv

$(STAMP): requirements.lock pyproject.toml | .venv/bin/python
	@echo "installing requirements.lock (once) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip check -q || $(BIN)/python -m pip check
	@touch $@

$(DEV_STAMP): requirements-dev.lock $(STAMP)
	@echo "installing requirements-dev.lock (once) ..."
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --require-hashes -r requirements-dev.lock
	@touch $@
