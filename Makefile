# Every target sets up what it needs in .venv first, once; nothing outside this folder changes.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SHARED ?= ../shared

.PHONY: help demo test lint format conformance bench pictures clean
.DELETE_ON_ERROR:

help:
	@echo "make demo         train on handwritten digits, run the tutorial's programs"
	@echo "make test         run the tests"
	@echo "make lint         ruff, mypy and the layer check"
	@echo "make conformance  compare with PyTorch (installs PyTorch)"
	@echo "make bench        measure beside PyTorch and JAX (installs them); ARGS=--check holds the bars"
	@echo "make pictures     draw the pictures of docs/tutorial.md (needs graphviz)"

demo: $(VENV)/.demo
	$(BIN)/flambeau demo

test: $(VENV)/.dev
	$(BIN)/python -m pytest

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

conformance: $(VENV)/.dev $(VENV)/.peers
	$(BIN)/python -m pytest tests/against_torch
	$(BIN)/python benchmarks/conformance.py $(SHARED)/conformance
	$(BIN)/python benchmarks/tutorial.py $(SHARED)/tutorial

bench: $(VENV)/.peers
	$(BIN)/python -m benchmarks $(ARGS)

pictures: $(VENV)/.dev
	$(BIN)/python tools/tutorial_pictures.py

clean:
	rm -rf $(VENV) demo_output build

# A stamp a set of extras: installed again when pyproject.toml changes.
$(VENV)/.made: tools/make_venv
	PYTHON=$(PYTHON) tools/make_venv $(VENV)
	@touch $@

$(VENV)/.demo $(VENV)/.dev $(VENV)/.peers: $(VENV)/.%: $(VENV)/.made pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[$*]'
	@touch $@
