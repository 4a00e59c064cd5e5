# Every target works as the first command after `git clone`: what it needs is made on the way.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
DEPLOY := $(VENV)/.deploy
# The same versions as those that the tests run with.
COMPILE = uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	--constraint requirements/dev.txt

# Each process has PostgreSQL servers of its own, so there are not more than four. The long tests run alone: some
# of them tell figures.
AT_ONCE = -n logical --maxprocesses 4 --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-failed test-all test-deploy deploy-needs check format bench bench-api docs reference dist sbom audit release-check requirements clean

# What only the documentation or a release needs has an environment of its own.
DOCS    := .venv-docs
RELEASE := .venv-release

help: ## Show what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Create .venv with pgproof and the tools to work on it

$(STAMP): requirements/dev.txt requirements/data.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements/data.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(STAMP) ## Back up, destroy, restore and compare a real data set: the whole story in a minute
	$(BIN)/pgproof demo

test: $(STAMP) ## Run the tests, with real PostgreSQL servers
	$(BIN)/python -m pytest $(AT_ONCE) -m "not slow and not deploy"

test-failed: $(STAMP) ## Run once more, one after the other, what failed last
	$(BIN)/python -m pytest --last-failed --last-failed-no-failures none -m "not slow and not deploy"

test-all: $(STAMP) ## Run every test, the long ones too
	$(BIN)/python -m pytest -m "not deploy"

test-deploy: deploy-needs $(DEPLOY) ## Build and run what a deployment consists of (root, debootstrap and the network; ten minutes)
	@# CI: what is missing all the same fails, and is not skipped.
	CI=true PATH="$(CURDIR)/$(DEPLOY)/bin:$$PATH" $(BIN)/python -m pytest tests/deploy

# Before minutes are spent on what cannot run.
deploy-needs:
	@$(PYTHON) tests/deploy/needs.py

# Beside the environment and not in it: these tools are large, and nothing else needs them.
$(DEPLOY): $(STAMP) requirements/deploy.txt
	$(PYTHON) -m venv $(DEPLOY)
	$(DEPLOY)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/deploy.txt
	@touch $@

check: $(STAMP) ## Lint, types, layers; known weaknesses of the dependencies, where somebody answers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# Status 75 is "nobody answered", which a line says. The tool is installed only where it has somebody to ask.
	@$(BIN)/python -m release.audit --ask && $(MAKE) --no-print-directory $(RELEASE)/.installed \
		&& $(RELEASE)/bin/python -m release.audit; status=$$?; [ $$status -eq 75 ] || exit $$status

format: $(STAMP) ## Format the code and mend what can be mended mechanically
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP) ## Measure against pg_dump and pg_restore (some minutes, about 4 GB of disk)
	$(BIN)/python -m bench

bench-api: $(STAMP) ## Measure the HTTP API with 100,000 backups in the catalog (some minutes)
	$(BIN)/python -m bench.api

docs: $(STAMP) $(DOCS)/.installed ## Build the documentation into site/; a link that leads nowhere ends it
	$(BIN)/python -m reference
	@# Not --quiet: that hides the warnings from --strict as well, and a lost link passes.
	NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build --strict

reference: $(STAMP) ## Write the pages of the documentation anew that come from the code
	$(BIN)/python -m reference

$(DOCS)/.installed: requirements/docs.txt
	$(PYTHON) -m venv $(DOCS)
	$(DOCS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/docs.txt
	@touch $@

$(RELEASE)/.installed: requirements/release.txt
	$(PYTHON) -m venv $(RELEASE)
	$(RELEASE)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/release.txt
	@touch $@

dist: $(RELEASE)/.installed ## Build the wheel and the source distribution into dist/
	rm -rf dist
	$(RELEASE)/bin/python -m build --outdir dist .

sbom: dist ## Write the bill of materials and the licences of all that is installed with pgproof into dist/
	$(RELEASE)/bin/python -m release.materials

audit: $(RELEASE)/.installed ## Ask whether a weakness is known in what pgproof depends on; fails if nobody answers
	$(RELEASE)/bin/python -m release.audit

release-check: check docs sbom ## All that a release needs and that needs no network but a package index
	$(BIN)/python -m pytest tests/release

requirements: ## Compile the hash-pinned requirements anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--all-extras --group dev pyproject.toml requirements/build.in -o requirements/dev.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-deps \
		requirements/data.in -o requirements/data.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--group docs -o requirements/docs.txt
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
		--group release -o requirements/release.txt
	$(COMPILE) requirements/build.in -o requirements/build.txt
	$(COMPILE) pyproject.toml -o requirements/runtime.txt
	$(COMPILE) --extra embedded pyproject.toml -o requirements/embedded.txt
	$(COMPILE) requirements/deploy.in -o requirements/deploy.txt

clean: ## Remove the environment and every cache
	rm -rf $(VENV) $(DOCS) $(RELEASE) site dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
