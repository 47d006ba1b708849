# Every target sets up what it needs by itself. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PARALLEL := -n auto --maxprocesses 8 --dist loadscope
CLIP := benchmarks/clips/bbb_320x180_48f.mp4

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-slow check bench-smoke docs golden clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-14s %s\n", $$1, $$2}'

setup: $(STAMP) ## Make a virtual environment in .venv with pinned versions

$(STAMP): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

demo: $(STAMP) ## Encode the embedded clip, decode it, compare the two in a picture (demo/)
	mkdir -p demo
	$(BIN)/nvc encode $(CLIP) -o demo/bbb.nvc -p hinerv-mini --epochs 40 -y
	$(BIN)/nvc info demo/bbb.nvc
	$(BIN)/nvc decode demo/bbb.nvc -o demo/bbb.y4m -y
	$(BIN)/python benchmarks/compare_picture.py $(CLIP) demo/bbb.y4m demo/compare.png

test: $(STAMP) ## Default tests
	$(BIN)/python -m pytest $(PARALLEL) -m 'not slow and not gpu'

test-slow: $(STAMP) ## Deeper tests, minutes long
	$(BIN)/python -m pytest $(PARALLEL) -m 'slow and not gpu'

check: $(STAMP) ## Format, lint, types and default tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(MAKE) test

bench-smoke: $(STAMP) ## Run what needs a GPU at toy size, on a CPU
	$(BIN)/python benchmarks/gpu.py --cpu-rehearsal

docs: $(STAMP) ## Make tables and boxes of README and docs/ anew from their sources
	$(BIN)/python benchmarks/documents.py

golden: $(STAMP) ## Show the golden files' hashes, as decoded now
	$(BIN)/python -m pytest -m 'not gpu' -k golden -v

clean: ## Remove what was built
	rm -rf $(VENV) demo build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
