# Each target sets up what it needs. `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

BIN := .venv/bin
READY := .venv/.ready
NODE := tests/local/node_modules/.ready
CHECKOV := .venv-checkov/.ready

# Every process of the tests would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo serve test test-slow test-host screenshots lint format bench simulate put-back quirks probe openapi messages snapshots package lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 13

demo: $(READY) $(NODE) ## run the demo on the local cloud: two companies, three runs, every step checked
	$(BIN)/python -m tests.local demo

serve: $(READY) $(NODE) ## run the local cloud with the demo's data until Ctrl-C
	$(BIN)/python -m tests.local serve --demo

test: $(READY) $(NODE) ## run all tests with coverage; ARGS="-k word" selects some
	@.ci/find-chromium >/dev/null
	@mkdir -p build/coverage
	@rm -f build/coverage/data*
	$(BIN)/coverage run -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(ARGS)
	@$(BIN)/coverage combine -q
	$(BIN)/coverage report
	@$(BIN)/python -m tests.infra.compiler left-out

test-slow: $(READY) $(NODE) ## long tests: thousands of mailboxes, many examples of each property, all random calls, each language
	@.ci/find-chromium >/dev/null
	SCALE_MAILBOXES=2000 $(BIN)/pytest tests/end_to_end/importing/test_faults_at_scale.py
	ENGINE_EXAMPLES=200 $(BIN)/pytest tests/integration/engine/test_engine_machine.py
	HYPOTHESIS_EXAMPLES=1000 $(BIN)/pytest -n 2 tests/unit/domain
	$(BIN)/python -m tests.simulation --seeds 500
	API_CALLS=all $(BIN)/pytest tests/end_to_end/api/test_openapi_calls.py
	WALK_LANGUAGES="en de" $(BIN)/pytest tests/portal/test_life.py

test-host: $(READY) $(NODE) ## the local host in real time, beside Microsoft's figures; twelve minutes
	$(BIN)/python -m tests.performance.host_figures

screenshots: $(READY) $(NODE) ## take pictures of the portal's pages, into build/screenshots/; ARGS="--only word"
	@.ci/find-chromium >/dev/null
	$(BIN)/python -m tests.portal.screenshots $(ARGS)

lint: $(READY) $(NODE) $(CHECKOV) ## check style, types, layers and known weaknesses, of code, template and the API's document
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit --quiet --recursive shared function_app.py
	$(BIN)/python -m tests.infra.weaknesses .venv-checkov/bin/checkov
	$(BIN)/python -m tests.infra.gateway.linters
	$(BIN)/python -m tests.infra.compiler

format: $(READY) ## fix and format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m tests.infra.compiler format

bench: $(READY) $(NODE) ## count Graph requests and measure ratios, into build/
	$(BIN)/python -m tests.performance $(ARGS)

openapi: $(READY) ## write what follows from the API and the fields: openapi.json (also as served, into build/), API shape, field bits, function_app.py, reasons.kql
	$(BIN)/python -m tests.infra.gateway.openapi
	$(BIN)/python -m tests.unit.web.api_shape
	$(BIN)/python -m tests.unit.domain.contacts.field_bits
	$(BIN)/python -m tests.unit.project.contents
	$(BIN)/python -m tests.infra.reasons_query

snapshots: $(READY) ## write what the template deploys in each variant, into infra/snapshots/
	$(BIN)/python -m tests.infra.compiler.reduced

messages: $(READY) ## extract texts, update each language's translations, compile them
	$(BIN)/python -m tests.unit.portal.messages

simulate: $(READY) ## run SEEDS=500 histories in virtual time; ARGS="--seed 7 --trace" for one
	$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),500) $(ARGS)

quirks: $(READY) $(NODE) ## let the demo's companies live under each quirk of Graph, and each pair of them; ARGS="--only word"
	$(BIN)/python -m tests.local.matrix $(ARGS)

put-back: $(READY) ## put each mended fault back, and count the histories until one shows it
	$(BIN)/python -m tests.simulation --put-back all --seeds $(or $(SEEDS),1000) $(ARGS)

probe: $(READY) ## ask a real tenant how Graph behaves (PROBE_… in the environment); ARGS=--json for the record
	$(BIN)/python -m tests.probe $(ARGS)

package: $(READY) ## build the app as Azure runs it, into build/package.zip, and its SBOM, build/sbom.json
	$(BIN)/python -m infra.package

lock: $(READY) ## pin the dependencies of pyproject.toml; ARGS=--upgrade takes the newest versions
	$(BIN)/uv pip compile -q $(ARGS) --universal --python-version 3.13 --generate-hashes --no-annotate --no-header -o requirements.txt pyproject.toml
	$(BIN)/uv pip compile -q $(ARGS) --universal --python-version 3.13 --generate-hashes --no-annotate --no-header --extra tests -c requirements.txt -o tests/requirements.txt pyproject.toml
	$(BIN)/uv pip compile -q $(ARGS) --universal --python-version 3.13 --generate-hashes --no-annotate --no-header --override tests/infra/checkov-overrides.txt -o tests/infra/checkov-requirements.txt tests/infra/checkov.in

clean: ## remove everything that make created
	rm -rf .venv .venv-checkov build tests/local/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# --no-deps: the lock files are complete, and override what pyproject.toml and checkov-overrides.txt say.
$(READY): tests/requirements.txt
	@python=$$(.ci/find-python) && "$$python" -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/requirements.txt
	@touch $@

# Separate, because checkov pins most of its dependencies.
$(CHECKOV): tests/infra/checkov-requirements.txt
	@python=$$(.ci/find-python) && "$$python" -m venv .venv-checkov
	@.venv-checkov/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r tests/infra/checkov-requirements.txt
	@touch $@

$(NODE): tests/local/package.json tests/local/package-lock.json
	@command -v npm >/dev/null || { echo "Azurite needs Node.js 20 or newer with npm. Install it from your system's packages." >&2; exit 2; }
	@npm ci --prefix tests/local --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@
