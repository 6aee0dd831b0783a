# Sound Forge Alchemy. `make` lists the commands.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3.12 python3.11 python3.13 python3; do command -v $$p >/dev/null 2>&1 && \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
WEB_SOURCES := $(shell find web \( -name node_modules -o -name dist -o -name tests \) -prune -o -type f -print)

.PHONY: fetcher help setup run demo test test-brokers lint format bench bench-quality soak kills pictures screenshots doctor clean system model

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' Makefile

setup: .venv/.ready web/dist/index.html .venv/.warm ## set everything up: packages, page, compiled audio kernel

run: setup model ## set everything up and start: opens the page
	@$(BIN)/alchemy fetcher status --quiet-if-present
	@$(BIN)/alchemy run $(ARGS)

fetcher: .venv/.ready ## install spotdl and yt-dlp (210 MB), for links of Spotify and video sites
	@$(BIN)/alchemy fetcher install

demo: setup ## load two made-up songs on the decks of the running program
	@$(BIN)/alchemy demo

test: setup ## every test that needs no hardware
	@$(BIN)/python -m pytest $(ARGS)

lint: .venv/.ready ## ruff, mypy and the page's type check
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy
	@scripts/node.sh npm --prefix web run --silent check

format: .venv/.ready ## format the Python code
	@$(BIN)/ruff check --fix -q . ; $(BIN)/ruff format .

bench: setup ## print the numbers of this machine
	@$(BIN)/python -m bench

bench-quality: setup ## print how right analysis and separation are, on music whose truth is known
	@$(BIN)/python -m bench.quality $(ARGS)

soak: setup ## ten minutes of everything at once, and what that did to the sound; ARGS=2 for two, ARGS='2 1 jack' on JACK
	@$(BIN)/python -m bench.soak $(ARGS)

kills: .venv/.ready ## kill workers at 200 random moments, and look whether anything was lost, made twice or left over
	@$(BIN)/python -m pytest tests/server/jobs/test_random_kills.py tests/server/jobs/test_bad_days.py --kills 200 -s $(ARGS)

test-brokers: .venv/.ready ## the job tests on RabbitMQ and on Redis (apt-get install rabbitmq-server redis-server)
	@$(BIN)/python -m pytest tests/server/jobs --broker redis $(ARGS)
	@$(BIN)/python -m pytest tests/server/jobs --broker rabbitmq $(ARGS)

pictures: setup ## draw the waveforms of the docs from what the kernel plays
	@$(BIN)/python -m scripts.pictures

screenshots: setup ## make the pictures of the docs from the running program
	@$(BIN)/python -m scripts.screenshots

doctor: .venv/.ready ## say what this machine has and what is missing
	@$(BIN)/alchemy doctor

system:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11, 3.12 or 3.13 is needed and none was found."; exit 1; }
	@PYTHON="$(PYTHON)" scripts/system.sh

model:
	@$(BIN)/alchemy models pull htdemucs --quiet-if-present || \
		echo "Going on without the separation model: stems will be rough. Try again with: $(BIN)/alchemy models pull htdemucs"

.venv/.ready: pyproject.toml | system
	@echo "Installing Python packages into .venv with $$($(PYTHON) --version) (a minute or two, once) ..."
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

web/dist/index.html: $(WEB_SOURCES) | .venv/.ready
	@echo "Building the page ..."
	@scripts/node.sh npm --prefix web ci --loglevel=error --no-fund --no-audit
	@scripts/node.sh npm --prefix web run --silent build -- --logLevel warn
	@touch $@

.venv/.warm: .venv/.ready $(wildcard audio/*.py audio/kernel/*.py)
	@echo "Compiling the audio kernel for this machine (about a minute, once) ..."
	@$(BIN)/python -c "import audio.host"
	@touch $@

clean: ## remove what was built, not your library
	rm -rf .venv web/node_modules web/dist build *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
