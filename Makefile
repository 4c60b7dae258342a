# `make` shows what there is. Everything runs in .venv, which the first target that needs it makes from exact pins.

SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Tests run side by side; each worker has its own AIRFLOW_HOME. JOBS=0 runs them one after the other.
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help venv lint format docs test-fast test test-cluster test-lowest test-newest dist bench demo up screenshots manifests clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1@/p' Makefile | awk -F@ '{ printf "%-20s %s\n", $$1, $$2 }'

venv: $(STAMP)  ## make .venv: uv where it is, else pip

$(STAMP): requirements.txt requirements-dev.txt constraints.txt pyproject.toml setup.py sandbox/pyproject.toml
	@set -e; \
	python=$${PYTHON:-}; \
	if [ -z "$$python" ]; then \
		for name in python3.13 python3.12 python3.11 python3 python; do \
			if "$$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null; then \
				python=$$name; break; \
			fi; \
		done; \
	fi; \
	if [ -z "$$python" ]; then \
		echo "make: no Python 3.11, 3.12 or 3.13 found; install one, or name it: make PYTHON=/path/to/python" >&2; \
		exit 1; \
	fi; \
	echo "make: $(VENV) with $$($$python --version)"; \
	if uv --version >/dev/null 2>&1; then \
		[ -x $(BIN)/python ] || uv venv --quiet --python "$$("$$python" -c 'import sys; print(sys.executable)')" $(VENV); \
		uv pip install --quiet --python $(BIN)/python -r requirements-dev.txt -c constraints.txt; \
		uv pip install --quiet --python $(BIN)/python --no-deps -e . -e sandbox; \
	else \
		[ -x $(BIN)/pip ] || "$$python" -m venv $(VENV); \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -c constraints.txt; \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e . -e sandbox; \
	fi; \
	touch $(STAMP)

lint: $(STAMP)  ## ruff, mypy, the import contracts, spelling, words, and the generated manifests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/python scripts/check_words.py
	$(BIN)/python include/kubernetes/generate.py --check

format: $(STAMP)  ## let ruff fix and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP)  ## the docs as a site in build/site; a dead link fails
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

test-fast: $(STAMP)  ## what to run on each change, under a minute: no servers, no Airflow, a quarter of the examples
	$(BIN)/pytest -m "not (slow or airflow or browser or servers or cluster)" -n $(JOBS) --dist loadfile

test: $(STAMP)  ## every test that needs nothing from outside
	HYPOTHESIS_PROFILE=thorough $(BIN)/pytest -m "not cluster" -n $(JOBS) --dist loadfile

test-cluster: $(STAMP)  ## the tests against the Kubernetes API at $KUBECONFIG
	@if [ -z "$$KUBECONFIG" ]; then \
		echo 'make: test-cluster needs a Kubernetes API: make test-cluster KUBECONFIG=/path/to/kubeconfig' >&2; exit 1; \
	fi
	HYPOTHESIS_PROFILE=thorough KUBECONFIG="$$KUBECONFIG" $(BIN)/pytest -m cluster

test-lowest:  ## the fast tests without Airflow, on the lowest versions that pyproject.toml names; needs uv
	@scripts/test_ranges lowest-direct

test-newest:  ## the same on the newest versions that it names; needs uv
	@scripts/test_ranges highest

dist:  ## build both wheels into dist/; needs uv
	rm -rf build/lib sandbox/build
	uv build --quiet --wheel --out-dir dist .
	uv build --quiet --wheel --out-dir dist sandbox

bench: $(STAMP)  ## the benchmark, into build/bench.json; $KUBECONFIG for the parts that need a cluster
	$(BIN)/python -m bench

demo: $(STAMP)  ## the pipeline through Airflow, twice, on the sandbox; with $KUBECONFIG there (APPLY=1 to apply)
	@$(BIN)/python scripts/demo.py

up: $(STAMP)  ## Airflow with its UI on 127.0.0.1:8080, opening on the health page, until Ctrl-C
	@$(BIN)/python scripts/up.py

screenshots: $(STAMP)  ## write docs/images/ anew, from a run on the sandbox; needs chromium
	@$(BIN)/python scripts/screenshots.py

manifests: $(STAMP)  ## write include/kubernetes/ and include/compose/ from their source
	$(BIN)/python include/kubernetes/generate.py

clean:  ## remove what the targets above made, .venv too
	rm -rf $(VENV) .airflow .demo .up build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
