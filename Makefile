# Every target is one line over the project's own tools; `make help` prints this list.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# uv from the PATH, or one of our own beside the virtual environment: no root, nothing outside this folder.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
# Trust what the machine trusts, also behind a company's proxy.
export UV_SYSTEM_CERTS := 1
RUN := $(UV) run --quiet --all-extras
# Tests wait more than they work: one more process than there are cores, and eight at most.
PROCESSES := $(shell cores=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); echo $$((cores < 8 ? cores + 1 : 8)))
PYTEST := $(RUN) pytest -n $(PROCESSES) --dist worksteal
PROTOC := grpcio-tools==1.71.2
# Node of the machine, or one from PyPI in this folder; without any, everything but the pages goes on.
PAGES := $(RUN) python scripts/pages.py

.PHONY: help setup ui pages demo test check fix bench bench-web interop chaos screenshots docs reference proto build ci

help:  ## Print this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | column -t -s $$'\t'

.uv/bin/uv:
	python3 -m pip install --quiet --target .uv uv

setup: $(if $(findstring .uv/,$(UV)),.uv/bin/uv)  ## Make the virtual environment, with everything in it
	@$(UV) sync --quiet --all-extras

ui: setup  ## Build the pages of the web dashboard (Node is fetched from PyPI where this machine has none)
	@$(PAGES) build

pages: setup
	@$(PAGES) build --if-possible

demo: pages  ## Watch tasks flow: an embedded server, a worker, the web dashboard (ARGS='--seconds 15' ends by itself)
	@$(RUN) asynqpy demo $(ARGS)

test: pages  ## Run all tests but those that need Go
	@$(if $(ARGS),,$(PAGES) test --if-possible)
	@$(PYTEST) --ignore tests/interop $(ARGS)

check: setup  ## Lint, types, layers, lock file; the same for the pages
	$(UV) lock --check --quiet
	$(RUN) ruff check .
	$(RUN) ruff format --check .
	$(RUN) mypy
	$(RUN) pyright
	$(RUN) lint-imports
	$(PAGES) check --if-possible

fix: setup  ## Format, and mend what the linter can
	@$(RUN) ruff check --fix .
	@$(RUN) ruff format .
	@$(PAGES) fix --if-possible

interop: setup  ## Exchange tasks with the real Go asynq, in both directions (needs Go)
	@$(PYTEST) tests/interop $(ARGS)

chaos: setup  ## Only the tests that kill things
	@$(PYTEST) tests/chaos $(ARGS)

bench: setup  ## Measure against Go asynq and the Python task queues (ARGS='--quick', '--list')
	@$(RUN) python -m bench $(ARGS)

bench-web: ui  ## Measure the web dashboard with 1,000 queues and 1,000,000 tasks (needs Chromium; ARGS='--quick')
	@$(RUN) python -m bench --only web --contenders asynqpy $(ARGS)

screenshots: ui  ## Draw the pictures of both dashboards that the documentation shows (needs Chromium)
	@$(RUN) python scripts/screenshots.py
	@$(RUN) python scripts/web_screenshots.py

docs: setup  ## Build the documentation into site/
	@$(UV) run --quiet --all-extras --group docs zensical build --clean --strict

reference: setup  ## Write what is made from the commands and the HTTP API: pages of the documentation, types of the UI
	@$(RUN) python scripts/reference.py
	@$(PAGES) types --if-possible

proto: setup  ## Generate the Python of asynq.proto
	@$(UV) run --quiet --isolated --no-project --with '$(PROTOC)' --with 'setuptools<81' python -m grpc_tools.protoc \
		-I src/asynqpy/_wire --python_out=src/asynqpy/_wire --pyi_out=src/asynqpy/_wire asynq.proto

build: setup  ## Build the wheel and the source distribution into dist/, with the pages
	@$(UV) build --quiet

ci: check test interop  ## What the gate runs
