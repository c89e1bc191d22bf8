# citycard: `make` alone prints this help. Each target below with `##` behind it is one line of it.

SHELL := /bin/bash
.DEFAULT_GOAL := help
BIN := .venv/bin

.PHONY: help demo run test simulate mutants faults drift bench check setup lint types rules generated schemas docs format lock clean

help: ## show this help
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

demo: setup ## play one card's life over real HTTP (CITY=hangzhou|wuxi for what differs there; ENGINES=kafka)
	@$(BIN)/citycard demo $(if $(ENGINES),--engines $(ENGINES)) $(if $(CITY),--city $(CITY))

run: setup ## run the platform at http://127.0.0.1:8080 (PORT=n for another port) until Ctrl-C
	@$(BIN)/citycard up $(if $(PORT),--port $(PORT))

test: setup ## run all tests
	@$(BIN)/pytest

simulate: setup ## live through seeds of a simulated city (SEEDS=n, FIRST=s)
	@$(BIN)/python -m services.simulation --seeds $(or $(SEEDS),50) $(if $(FIRST),--first $(FIRST))

mutants: setup ## plant bugs one by one; each must be caught
	@$(BIN)/python -m services.simulation --mutants

faults: setup ## kill what serves a city under load, compare at the end (MINUTES=n, ENGINES=kafka)
	@$(BIN)/python -m services.faults --minutes $(or $(MINUTES),2) $(if $(ENGINES),--engines $(ENGINES))

drift: setup ## money under load and kills, compared to the fen (OPS=n, KILLS=n, MINUTES=n, MUTANTS=1)
	@$(BIN)/python -m services.drift $(if $(OPS),--ops $(OPS)) $(if $(KILLS),--kills $(KILLS)) $(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(SEED),--seed $(SEED)) $(if $(MUTANTS),--mutants)

bench: setup .venv-bench/.complete ## measure beside peers and limits (QUICK=1: only see that it works)
	@$(BIN)/python -m bench $(if $(QUICK),--quick)

.venv-bench/.complete: bench/requirements.txt
	@$(BIN)/python -m venv --clear .venv-bench && .venv-bench/bin/pip install --quiet -r bench/requirements.txt && touch $@

check: setup lint types rules generated test ## what CI runs: format, lint, types, import rules, generated files, tests

format: setup ## format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: setup
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: setup
	@$(BIN)/mypy

rules: setup
	@$(BIN)/lint-imports

schemas: setup ## write schemas/ anew from the code
	@$(BIN)/citycard schemas

docs: setup ## write docs/requirements.md anew from the tests' markers
	@$(BIN)/python -m libs.testing.requirements

generated: setup
	@$(BIN)/citycard bylaws check && $(BIN)/citycard schemas --check && $(BIN)/python -m libs.testing.requirements --check

setup: .venv/.complete

.venv/.complete: pyproject.toml requirements.lock deploy/setup
	@deploy/setup

lock: ## lock the dependencies anew (needs uv)
	@uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
		--group dev pyproject.toml -o requirements.lock

clean: ## remove the environment and .citycard, where `make run` keeps everything
	rm -rf .venv .citycard
