# Each target sets up what it needs by itself; `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready
NODE := tests/local/node_modules/.ready
CHECKOV := .venv-checkov/.ready

.PHONY: help demo serve test screenshots lint format bench openapi messages package lock clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 13

demo: $(READY) $(NODE) ## the whole job on this machine: two companies, three runs, checked
	$(BIN)/python -m tests.local demo

serve: $(READY) $(NODE) ## keep the local cloud up with the demo's data, until Ctrl-C
	$(BIN)/python -m tests.local serve --demo

test: $(READY) $(NODE) ## all tests, with coverage; ARGS="-k word" for some of them
	@.ci/find-chromium >/dev/null
	@mkdir -p build/coverage
	@rm -f build/coverage/data*
	$(BIN)/coverage run -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(BIN)/coverage combine -q
	$(BIN)/coverage report

screenshots: $(READY) $(NODE) ## every page of the portal, into build/screenshots/; ARGS="--only word"
	@.ci/find-chromium >/dev/null
	$(BIN)/python -m tests.portal.screenshots $(ARGS)

lint: $(READY) $(CHECKOV) ## style, types, layers and known weaknesses, of the template too
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive shared function_app.py
	$(BIN)/python -m tests.infra.weaknesses .venv-checkov/bin/checkov

format: $(READY) ## bring the code into form
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(READY) $(NODE) ## count Graph requests and measure ratios, into build/
	$(BIN)/python -m tests.performance $(ARGS)

openapi: $(READY) ## write what is made from the API and the fields: openapi.json, its shape, bits, function_app.py
	$(BIN)/python -m tests.infra.gateway_openapi
	$(BIN)/python -m tests.unit.web.api_shape
	$(BIN)/python -m tests.unit.domain.field_bits
	$(BIN)/python -m tests.unit.project.contents

messages: $(READY) ## extract the texts, bring each language's translations up to date, compile them
	$(BIN)/python -m tests.unit.portal.messages

package: $(READY) ## the app as Azure runs it, into build/package.zip
	$(BIN)/python infra/package.py

lock: $(READY) ## pin what pyproject.toml names; ARGS=--upgrade takes the newest versions
	$(BIN)/uv pip compile -q $(ARGS) --universal --python-version 3.13 --generate-hashes --no-annotate --no-header -o requirements.txt pyproject.toml
	$(BIN)/uv pip compile -q $(ARGS) --universal --python-version 3.13 --generate-hashes --no-annotate --no-header --extra tests -c requirements.txt -o tests/requirements.txt pyproject.toml
	$(BIN)/uv pip compile -q $(ARGS) --universal --python-version 3.13 --generate-hashes --no-annotate --no-header --override tests/infra/checkov-overrides.txt -o tests/infra/checkov-requirements.txt tests/infra/checkov.in

clean: ## remove all that was made here
	rm -rf .venv .venv-checkov build tests/local/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(READY): tests/requirements.txt
	@python=$$(.ci/find-python) && "$$python" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/requirements.txt
	@touch $@

# Apart, since checkov pins most of what it uses; --no-deps, since the lock says otherwise in one place.
$(CHECKOV): tests/infra/checkov-requirements.txt
	@python=$$(.ci/find-python) && "$$python" -m venv .venv-checkov
	@.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/infra/checkov-requirements.txt
	@touch $@

$(NODE): tests/local/package.json tests/local/package-lock.json
	@command -v npm >/dev/null || { echo "Node.js 20 or newer with npm is needed for Azurite: install it from your system's packages." >&2; exit 2; }
	@npm ci --prefix tests/local --no-audit --no-fund --loglevel=error
	@touch $@
