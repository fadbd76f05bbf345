# Every target works on a fresh clone: the first one sets up .venv. PIP_ARGS is passed on to pip.
PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export DO_NOT_TRACK := 1
unexport PYTHONDONTWRITEBYTECODE  # of many containers; it makes every program compile what it imports

# The programs of a .venv that was moved or copied with the project name the Python of its old place.
MOVED := $(shell test ! -e .venv/bin/dvc || grep -qF -e "$$(cd .venv && pwd -P)/" -e "$(CURDIR)/.venv/" .venv/bin/dvc || echo moved)

.PHONY: moved setup repro demo serve watch test test-fast test-thorough check fix
setup: .venv/.runtime

repro: .venv/.runtime
	$(BIN)/dvc repro
	@cat reports/evaluation/score_card.txt
	@echo "Open reports/evaluation/report.html for the pictures."

demo: .venv/.runtime
	@test -e models/generator.safetensors || (echo "There is no model yet: it is trained first, on the built-in sample." && $(MAKE) repro)
	$(BIN)/python -m colorizer app

# The curves and sample sheets of all trainings, also of one under way. On loopback alone.
watch: .venv/.runtime
	@mkdir -p logs/tensorboard
	@echo "The page shows an epoch after it has ended, when you press the round arrow (or gear, Reload data)."
	$(BIN)/python -m tensorboard.main --logdir logs/tensorboard --host 127.0.0.1

serve: .venv/.runtime
	$(BIN)/python -m pipeline serve

# More workers than two cores: some always wait, for a server or a browser.
PYTEST := $(BIN)/python -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder

test: .venv/.development
	STRICT=$(STRICT) $(PYTEST) -m "not thorough"

test-thorough: .venv/.development
	STRICT=$(STRICT) $(PYTEST) -m thorough

test-fast: .venv/.development
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal -m "not slow and not thorough"

check: .venv/.development
	$(BIN)/ruff format --check . && $(BIN)/ruff check . && $(BIN)/mypy

fix: .venv/.development
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

.venv/.runtime: pyproject.toml requirements.txt constraints.txt $(MOVED)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(if $(MOVED),--clear) .venv
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -e . $(PIP_ARGS)
	@touch $@

moved:
	@echo "This .venv was made in another folder: it is made anew."

.venv/.development: .venv/.runtime $(wildcard requirements-*.txt)
	$(BIN)/pip install --disable-pip-version-check -c constraints.txt -r requirements-dev.txt $(PIP_ARGS)
	@touch $@
