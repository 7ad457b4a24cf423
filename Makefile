# The two commands a newcomer needs are `make run` and `make test`; they need Python 3.11+, make and git, nothing else.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
# Two workers, each with whole files in their order: neighbours share servers and browsers, which is where the time goes.
PYTEST_FLAGS ?= -n 2 --dist loadfile --no-loadscope-reorder
SOAK_FLAGS ?=

.PHONY: run test thorough soak mongo bench lint format lock clean

run: $(VENV)/run.stamp
	@exec $(BIN)/justchat serve $(FLAGS)

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest $(PYTEST_FLAGS)

# What CI runs besides: further tests of the page in a browser, the published documents against a server, more stores.
thorough: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m "thorough and not soak" $(PYTEST_FLAGS)

soak: $(VENV)/dev.stamp
	$(BIN)/python -m pytest -m soak -s --timeout=0 -o faulthandler_timeout=0 $(SOAK_FLAGS)

# A server with MongoDB's protocol for the tests, where there is no mongod: needs Go 1.24, and some minutes once.
mongo: $(VENV)/dev.stamp
	$(BIN)/python -m tests.support.mongo_server

bench: $(VENV)/dev.stamp
	$(BIN)/python -m bench all --short

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev.stamp
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "JustChat needs Python 3.11 or newer")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/run.stamp: requirements/run.lock pyproject.toml | $(BIN)/python
	$(PIP) install -r requirements/run.lock
	$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/dev.stamp: requirements/dev.lock $(VENV)/run.stamp
	$(PIP) install -r requirements/dev.lock
	@touch $@

# Needs pip-tools; the locks carry hashes and name no registry.
lock:
	$(PYTHON) requirements/lock.py

clean:
	rm -rf $(VENV) .cache .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
