# Janus. `make help` lists what there is.

CONFIG ?= configs/flights.yaml
STACK ?=
ARGS ?=
CASES ?= 20000
ROUNDS ?= 1

BIN := .venv/bin
# The order of the files is tests/conftest.py's.
PYTEST := $(BIN)/python -m pytest --numprocesses auto --maxprocesses 2 --dist loadfile --no-loadscope-reorder
NAME := $(basename $(notdir $(CONFIG)))
PREPARE := $(basename $(CONFIG)).py
# `make setup` says what it found; as the first step of another target it speaks only if there is work.
QUIET := $(if $(filter setup,$(MAKECMDGOALS)),,--quiet)

SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup lock run report serve kubeflow image docs screenshots check test test-all lint format sbom pin-images bench bench-serving chaos fuzz clean

help: ## This list
	@echo "Janus: multi-task learning pipelines on TFX"
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo
	@echo "  CONFIG=configs/X.yaml   the config of run, report, serve, kubeflow and image ($(CONFIG))"
	@echo "  STACK=modern|portable   the set of package versions; without it, the one that fits the machine"
	@echo "  ARGS='...'              further arguments of the command behind run, report, serve, check, test or lock"
	@echo
	@echo "make ends with 2 whatever failed; it prints the command's own exit code as 'Error N'."

setup: ## Make .venv with all packages, or bring it up to date
	@STACK="$(STACK)" requirements/setup.sh $(QUIET)

run: setup ## Run the pipeline of CONFIG, after preparing its data if there is none
	@if [ ! -e "data/$(NAME)" ] && [ -f "$(PREPARE)" ]; then \
	  echo "run: data/$(NAME) is missing; $(PREPARE) prepares it"; \
	  $(BIN)/python "$(PREPARE)"; \
	fi
	@$(BIN)/janus run "$(CONFIG)" $(ARGS)

report: setup ## Show the report of CONFIG's latest run
	@$(BIN)/janus report "$(CONFIG)" $(ARGS)

serve: setup ## Serve CONFIG's pushed model: REST on 8501, gRPC on 8500, a page to try it at /
	@$(BIN)/janus serve "$(CONFIG)" $(ARGS)

kubeflow: setup ## Compile CONFIG's pipeline for Kubeflow Pipelines v2: deploy/kubeflow/<name>/
	@$(BIN)/janus kubeflow compile "$(CONFIG)" $(ARGS)

image: setup ## Compile CONFIG for Kubeflow and build the image that its steps run in
	@deploy/image.sh "$(CONFIG)" $(ARGS)

docs: setup ## Build the documentation's site into build/site
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

screenshots: setup ## Take README's pictures again, from the flights' newest report (after `make run`)
	@$(BIN)/python docs/screenshots.py

check: lint ## Lint, and run the fast tests: before each commit
	@$(PYTEST) -m "not slow and not very_slow and not needs" $(ARGS)

test: setup ## Run the tests, except those that take minutes each
	@$(PYTEST) -m "not very_slow" $(ARGS)

test-all: setup ## Run all tests: those on Kubeflow's orchestrator, Beam's job server, each trunk, ... as well
	@$(PYTEST) $(ARGS)

lint: setup ## Check style, format, types, and which package may import which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: setup ## Format the source, and mend what ruff can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

lock: setup ## Compile requirements/*.txt from requirements/*.in (newest versions: ARGS=--upgrade)
	@$(BIN)/python -B requirements/lock.py $(ARGS)

sbom: setup ## List all packages with hashes and licences: build/sbom/*.cdx.json (CycloneDX), licences.csv
	@$(BIN)/python -B requirements/sbom.py $(ARGS)

pin-images: setup ## Pin the images that deploy/ names by their digests, asking the registry (ARGS=--check changes nothing)
	@$(BIN)/python -B deploy/pin_images.py $(ARGS)

bench: setup ## Measure Janus beside the same pipeline of stock TFX components (about 40 minutes; ARGS=--help)
	@[ -e data/flights ] || $(BIN)/python configs/flights.py
	@$(BIN)/python -m benchmarks.bench $(ARGS)

bench-serving: setup ## Measure what serving the flights' pushed model costs (after `make run`; ARGS=--help)
	@$(BIN)/python -m benchmarks.serving_cost $(ARGS)

chaos: setup ## Kill, damage and crowd pushes, runs and a server, ROUNDS times; prints docs/reliability.md's table
	@$(BIN)/python -m tests.chaos --rounds $(ROUNDS) $(ARGS)

fuzz: setup ## Try CASES bad configurations, requests, models and tables (20000 take about 20 minutes)
	@$(BIN)/python -m tests.fuzz --cases $(CASES) $(ARGS)

clean: ## Remove .venv, caches, runs/ and prepared data; never pushed models in models/
	@rm -rf .venv runs build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
	@for script in configs/*.py; do \
	  name=$$(basename "$$script" .py); \
	  if [ -n "$$name" ] && [ "$$name" != '*' ]; then rm -rf "data/$$name" "data/$$name-parquet"; fi; \
	done
	@[ ! -d data ] || rmdir data 2>/dev/null || echo "clean: kept in data/, since no script in configs/ has that name:" $$(ls data)
	@for model in models/*/[0-9]* serving/*/[0-9]*; do \
	  if [ -e "$$model" ]; then echo "clean: kept the pushed models in $${model%%/*}/"; break; fi; \
	done
