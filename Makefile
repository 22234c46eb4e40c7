# MLWorkflow. `make help` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin
TIERS ?= unit component cluster kind
PYTEST_ARGS ?=

-include tests/node/node.mk
-include web/web.mk

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: PYTHON=/path/to/python3.11 make …'; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(RUN)/pip install --quiet --editable '.[cli,steps]'
	@touch $@

$(VENV)/.ready: $(VENV)/.installed
	$(RUN)/pip install --quiet --editable '.[dev]'
	@touch $@

.PHONY: setup
setup: $(VENV)/.ready web-if-node ## Install everything for development into .venv

.PHONY: demo
demo: $(VENV)/.installed ## Train, tune and evaluate a model on this machine, no cluster needed
	@$(RUN)/mlwf run examples/digits.yaml
	@mkdir -p build && rm -f build/digits.html
	@$(RUN)/mlwf download digits evaluate.report build/digits.html --local
	@printf '\nThe report is in build/digits.html: open it in a browser. For the commands above: source $(VENV)/bin/activate\n'

# What takes minutes the first time is done before pytest, whose time limits are for tests.
.PHONY: prepare
prepare: $(VENV)/.ready ## Build what the test tiers need: servers, the node, its images, a kind node image
	@for tier in $(TIERS); do case $$tier in \
	  component) $(MAKE) --no-print-directory web && $(NODE) build minio registry runc && $(NODE) browser && $(NODE) prometheus ;; \
	  cluster) $(MAKE) --no-print-directory web && $(NODE) browser && { [ -n "$$KUBECONFIG" ] || { $(NODE) build && $(NODE) up > /dev/null && $(NODE) images; }; } ;; \
	  kind) $(MAKE) --no-print-directory web-if-node && python3 tests/kind prepare ;; \
	esac || { echo "The tier '$$tier' cannot run here. Name fewer: make test TIERS='unit'" >&2; exit 2; }; done

# The tests of one cluster follow each other; beside them, and while they wait, run the tests that need none.
JOBS ?= 2
.PHONY: test
test: prepare ## Run every test tier (TIERS="unit component" for fewer, JOBS=0 in one process)
	$(RUN)/python -m pytest --numprocesses $(JOBS) --dist loadscope $(addprefix tests/,$(TIERS)) $(PYTEST_ARGS)

SOAK ?= 100000
SOAK_JOBS ?= $(shell nproc)
.PHONY: soak
soak: $(VENV)/.ready ## Try the engine on SOAK random workflows and disturbances (100000), on every core
	@pids=; for job in $$(seq $(SOAK_JOBS)); do MLWF_SOAK_EXAMPLES=$$(( $(SOAK) / $(SOAK_JOBS) / 3 )) \
	  $(RUN)/python -m pytest tests/unit/core/test_world.py -q -p no:cacheprovider --timeout=0 --hypothesis-seed=$$RANDOM$$job & pids="$$pids $$!"; \
	  done; failed=0; for pid in $$pids; do wait $$pid || failed=1; done; exit $$failed

.PHONY: perf
perf: $(VENV)/.ready ## Measure the budget beside bare Pods and the minio client, into build/perf.json (PARTS="local" for less)
	@$(NODE) build && $(NODE) up > /dev/null
	@PYTHONPATH=operator:steps:tests $(RUN)/python -m tests.perf $(PARTS)

.PHONY: lint
lint: $(VENV)/.ready ## Check style, types and layers
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	@[ -z "$(NPM)" ] || $(MAKE) --no-print-directory web-lint

.PHONY: format
format: $(VENV)/.ready ## Put the code into its canonical form
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .
	@[ -z "$(NPM)" ] || $(MAKE) --no-print-directory web-format

.PHONY: crds
crds: $(VENV)/.ready ## Write the CRD, its copies and the reference pages from the model and the commands
	$(RUN)/python -m mlworkflow.schema
	$(RUN)/python -m mlworkflow.cli.manual

.PHONY: clean
clean: ## Remove what builds and tests left in the checkout
	rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .mlworkflow \
	  operator/mlworkflow/ui/static web/node_modules
