# `make` alone lists what there is. Every target does all of its own set-up.
PYTHON ?= python3
BIN := .venv/bin
PLUGINS := $(patsubst %/pyproject.toml,%,$(wildcard plugins/*/pyproject.toml))
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test soak lint bench packages clean

help:
	@echo 'make setup   a virtual environment in .venv with jetcore, its plugins and all tools'
	@echo 'make demo    back up, destroy and restore two accounts, and compare'
	@echo 'make test    run the tests                          (ARGS="-k reader")'
	@echo 'make soak    kill, fault and random tests for hours   (ROUNDS=5000)'
	@echo 'make lint    ruff, mypy --strict and the import rules'
	@echo 'make bench   compare with restic, borg, tar, rsync  (ACCOUNTS=6 SIZE=1 ROUNDS=3)'
	@echo 'make clean   remove what these have made'

setup: packages $(READY)

packages:
	@tools/system_packages.sh

# --without-pip: Debian splits ensurepip off into a package of its own; pip can be put there from outside.
$(READY): pyproject.toml $(PLUGINS:=/pyproject.toml)
	@echo 'setup: .venv'
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip .venv
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--editable '.[all]' $(PLUGINS:%=--editable %) --group test --group lint
	@touch $@

demo: setup
	@$(BIN)/python -m demo

test: setup
	@$(BIN)/python -m pytest -q $(ARGS)

soak: setup
	@SOAK=$(or $(ROUNDS),5000) $(BIN)/python -m pytest -q tests/faults $(ARGS)

lint: $(READY)
	@$(BIN)/ruff check --quiet --output-format=concise .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --strict --no-error-summary jetcore benchmarks demo $(PLUGINS:=/src)
	@$(BIN)/python -m pytest -q --no-header --no-summary tests/test_imports.py

bench: setup
	@$(BIN)/python -m benchmarks $(if $(ACCOUNTS),--accounts $(ACCOUNTS)) $(if $(SIZE),--size $(SIZE)) \
		$(if $(ROUNDS),--rounds $(ROUNDS)) $(ARGS)

clean:
	rm -rf .venv build *.egg-info plugins/*/src/*.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
