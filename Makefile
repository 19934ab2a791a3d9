# make demo    see a memory at work (sets itself up on a bare machine)
# make test    lint, types, import contracts and the whole test suite (the same)
# make bench   the slow figures of the README
# make test-matrix   the integrations, with the oldest and newest of each framework

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt

export HF_HUB_OFFLINE := 1
export PIP_DEFAULT_TIMEOUT ?= 180

.PHONY: demo test test-matrix check fmt bench clean

demo: .venv/demo
	@$(BIN)/psm demo

test: .venv/dev
	@$(MAKE) --no-print-directory check

# Not part of `make test`: it loads each framework twice, and takes a quarter of an hour.
test-matrix:
	@$(PYTHON) tests/matrix.py

check:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	@# Two workers of one thread each: on two cores, two of two stand in each other's way.
	@# A file stays with one worker, because the blocks of a document follow each other.
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist loadfile

fmt: .venv/dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/dev
	$(BIN)/psm bench recall
	$(BIN)/psm bench speed
	$(BIN)/psm bench sleep
	$(BIN)/psm bench facts
	$(BIN)/psm bench nights

clean:
	rm -rf .venv .matrix

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "psm needs Python 3.11 or newer; try make PYTHON=python3.11 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up .venv; the first time takes some minutes."
	@$(PYTHON) -m venv .venv
	@# torch goes first and by itself, so that no other package picks its build.
	@$(PIP) torch
	@touch $@

.venv/demo: .venv/python pyproject.toml constraints.txt
	@$(PIP) -e '.[offline]'
	@touch $@

.venv/dev: .venv/python pyproject.toml constraints.txt
	@$(PIP) -e '.[all,dev]'
	@touch $@ .venv/demo
