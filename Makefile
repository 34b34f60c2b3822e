# make run    serve a demo on this machine          make test   the whole suite
# make lint   ruff and mypy                         make soak   100 kills under load, 100 000 steps of the rules
# make clean  remove what was built; var/demo, with its accounts and messages, stays

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := var/demo

# One stamp for each way to install: setup.cfg is all that says what is needed.
INSTALLED := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test

.PHONY: run test lint soak clean

run: $(INSTALLED)
	@# What init would tell, serve tells.
	@test -e $(DEMO)/pchat.toml || $(BIN)/pchatctl init $(DEMO) --demo >/dev/null
	@exec $(BIN)/pchatctl --config $(DEMO)/pchat.toml serve

# Every suite runs once under pytest and, being made of trial cases, once under trial.
test: $(INSTALLED_TEST)
	$(BIN)/python -m pytest
	$(BIN)/trial --temp-directory=$(VENV)/trial tests

lint: $(INSTALLED_TEST)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

soak: $(INSTALLED_TEST)
	PCHAT_KILLS=100 $(BIN)/python -m pytest -s tests/integration/test_durability.py
	PCHAT_MODEL_STEPS=110000 $(BIN)/python -m pytest -s --timeout 3600 tests/model

clean:
	rm -rf twisted/plugins/dropin.cache $(VENV) build dist *.egg-info _trial_temp* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@# Half an environment (Debian without python3-venv) would be taken for a whole one next time.
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(INSTALLED): setup.cfg pyproject.toml | $(BIN)/python
	@echo 'Installing into $(VENV) ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(INSTALLED_TEST): setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@ $(INSTALLED)
