# The commands of a checkout. `make` alone lists them. On Windows use what stands behind each: python manage.py …

PYTHON ?= python3
IN_VENV := .venv/bin/python
TESTS ?=
BENCH ?=
PRODUCT := obt_site agents benchmarks agent manage.py .ci
UV := $(or $(shell command -v uv),.venv/bin/uv)
COMPILE := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--prerelease if-necessary-or-explicit --custom-compile-command 'make lock'

.PHONY: help up test lint format bench ollama lock dev

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

up: ## start server, database and an agent for this machine
	@$(PYTHON) manage.py up

test: lint ## check and test everything; TESTS="agent -k spool" tests a part
	$(IN_VENV) -m pytest -n 2 --dist loadgroup $(TESTS)

lint: dev ## style, types, and what is known to be unsafe
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy
	$(IN_VENV) -m bandit --quiet --recursive --configfile pyproject.toml $(PRODUCT)
	$(IN_VENV) .ci/advisories.py

format: dev ## put the style right where a program can
	$(IN_VENV) -m ruff check --fix .
	$(IN_VENV) -m ruff format .

bench: dev ## prove the numbers on this machine, best when it is quiet; BENCH="--only cpu" proves a part
	$(IN_VENV) -m agent.bench $(BENCH)

ollama: ## build the real Ollama that tests measure (about 8 minutes, once)
	@$(PYTHON) -m agent.real_ollama build $(OLLAMA_FLAGS)

lock: dev ## pin requirements*.in with hashes
	@command -v $(UV) >/dev/null || $(IN_VENV) -m pip install --quiet uv
	$(COMPILE) requirements.in -o requirements.txt
	$(COMPILE) requirements-dev.in -o requirements-dev.txt

dev:
	@$(PYTHON) manage.py bootstrap --dev
