# Everything a person types. Each target does its own set-up; a second run sets nothing up again.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

export PIP_DISABLE_PIP_VERSION_CHECK := 1

# Set up anew when the dependencies change, or when the directory has moved: a virtual
# environment knows its own absolute path.
FINGERPRINT := $(shell { cat setup.cfg pyproject.toml; pwd; } | cksum | cut -d' ' -f1)
STAMP := $(VENV)/.ready-$(FINGERPRINT)

# The S3 server of the tests wants a botocore of its own, so it has an environment of its own.
S3_VENV := .venv-s3
S3_SERVER := ministack==1.5.33
S3_STAMP := $(S3_VENV)/.ready-$(shell { echo $(S3_SERVER); pwd; } | cksum | cut -d' ' -f1)

# Debian has pip without ensurepip; its pip can fill an environment that has none.
new_environment = $(PYTHON) -m venv --clear $(1) >/dev/null 2>&1 || { \
  $(PYTHON) -m venv --clear --without-pip $(1) && \
  $(PYTHON) -m pip --python $(1)/bin/python install --quiet pip; }

.DEFAULT_GOAL := help
.PHONY: help setup comfyui s3-server demo test test-all test-lowest lint types bench check clean

help: ## Show this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

setup: $(STAMP) ## Make the virtual environment and install the dependencies

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python 3.11 or newer is needed, but $(PYTHON) is: $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name another: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "Setting up $(VENV)."
	@$(call new_environment,$(VENV))
	@$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@

s3-server: $(S3_STAMP) ## Fetch the S3 server that the tests start into .venv-s3

$(S3_STAMP):
	@echo "Setting up $(S3_VENV)."
	@$(call new_environment,$(S3_VENV))
	@$(S3_VENV)/bin/python -m pip install --quiet $(S3_SERVER)
	@touch $@

comfyui: $(STAMP) ## Fetch ComfyUI into .comfyui (or check the one in COMFYUI_DIR)
	@$(BIN)/python manage.py comfyui install

demo: comfyui ## Run one real workflow, from submission to a file on disk
	@$(BIN)/python manage.py demo

test: comfyui s3-server ## Run the tests
	@$(BIN)/python -m pytest -m "not slow"

test-all: comfyui s3-server ## Run the tests, those that take minutes too
	@$(BIN)/python -m pytest

test-lowest: ## Run the fast tests with the oldest versions that setup.cfg allows
	@$(PYTHON) -m venv --clear .venv-lowest
	@sed -n '/^install_requires/,/^$$/p; /^dev =/,/^$$/p' setup.cfg | sed -n 's/^ *\([][a-z0-9-]*\)>=/\1==/p' \
	  | grep -v -e '^mypy' -e '^ruff' -e '^types-' > .venv-lowest/requirements.txt
	@.venv-lowest/bin/python -m pip install --quiet --requirement .venv-lowest/requirements.txt
	@.venv-lowest/bin/python -m pytest -q -m "not live and not slow"

lint: $(STAMP) ## Check style and formatting
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(STAMP) ## Check types
	@$(BIN)/mypy

bench: comfyui s3-server ## Measure, side by side with the alternatives
	@$(BIN)/python -m pip install --quiet --editable '.[bench]'
	@$(BIN)/python -m tests.bench

check: lint types test ## Check everything that a change must pass

clean: ## Remove what set-up and runs have made (not .data and out)
	rm -rf $(VENV) $(S3_VENV) .venv-lowest .comfyui *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
