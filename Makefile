# make demo   the whole pipeline on a simulated movie, results in demo-output/
# make test   every check: lint, types, tests (with windows, on a virtual display)
# Each sets up what it needs in .venv, once. PYTHON=... chooses the interpreter.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint format docs benchmarks screenshots clean display-libraries

VENV ?= .venv
OUT ?= demo-output
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
# these need data, a model or a GPU (benchmarks/README.md): name them in BENCHMARKS, options in BENCHMARK_ARGS
GIVEN_DATA := fine_tuning segmentation_quality staining_fit staining_gpu staining_uncertainty \
  tracking_fission tracking_quality
BENCHMARKS ?= $(filter-out $(patsubst %,benchmarks/%.py,$(GIVEN_DATA) __init__),$(wildcard benchmarks/*.py))
EXTRAS := all,distributed,export,fast,geff

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.core  ## simulate, stain, segment, track, score; pictures in demo-output/
	$(BIN)/virtualstain demo $(OUT) --overwrite

test: lint display-libraries  ## lint, then all tests; PYTEST_ARGS="tests/metrics -x" for some
	.ci/with-display $(BIN)/python -m pytest --cov --cov-report=term:skip-covered $(PYTEST_ARGS)

lint: $(VENV)/.dev  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.dev  ## let ruff put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/.docs  ## the manual as a web site in site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

benchmarks: $(VENV)/.dev display-libraries  ## measure; BENCHMARKS="benchmarks/x.py" for some
	@for script in $(BENCHMARKS); do \
	  module=$${script%.py}; module=$${module//\//.}; echo "== $$module"; \
	  .ci/with-display $(BIN)/python -m $$module $(BENCHMARK_ARGS); \
	done

screenshots: $(VENV)/.dev display-libraries  ## the pictures and films of the manual, from the real program
	.ci/with-display $(BIN)/python docs/screenshots.py
	.ci/with-display $(BIN)/python docs/films.py

clean:  ## remove the environment and everything that was made
	rm -rf $(VENV) build dist site demo-output htmlcov .coverage .mypy_cache .pytest_cache .ruff_cache

display-libraries:
	@.ci/display-libraries

# pip of Debian 12 knows no --group; the wheel of torch is chosen by the constraints
$(VENV)/bin/python:
	python=$$(.ci/find-python) && "$$python" -m venv $(VENV)
	$(PIP) --upgrade "pip>=25.1"

$(VENV)/.core: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e .
	touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e ".[$(EXTRAS)]" --group dev
	touch $@ $(VENV)/.core

$(VENV)/.docs: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(PIP) -c constraints.txt -e . --group docs
	touch $@ $(VENV)/.core
