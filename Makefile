# Two commands are all a newcomer needs: `make run` and `make test`.
# Every target sets up what it needs; nothing has to be run before it.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
STAMPS := $(VENV)/stamps
DATA ?=
RUN_FLAGS ?=
PYTEST_FLAGS ?=
SEED ?= 1
JOBS ?= 2000
WORKERS ?= 4
CHAOS_FLAGS ?=
AUDIT_FLAGS ?=

.DEFAULT_GOAL := help
.PHONY: help install run test check audit docs wheel wheelhouse prove-install bench verify fuzz chaos format lock clean

help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(STAMPS)/venv:
	@test -n "$(PYTHON)" || { echo "Varloom needs Python 3.11 or newer; none was found on PATH."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing: on Debian and Ubuntu, apt-get install python3-venv."; exit 1; }
	@mkdir -p $(STAMPS) && touch $@

$(STAMPS)/uv: $(STAMPS)/venv requirements/bootstrap.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(STAMPS)/requirements: $(STAMPS)/uv requirements/dev.txt
	@echo "Installing the pinned requirements ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements/dev.txt
	@touch $@

KERNEL := $(wildcard src/varloom/*/native/*.pyx src/varloom/*/native/*.pxd)
FRONTEND := package.json package-lock.json $(shell find src/varloom/web/frontend -type f 2>/dev/null)

$(STAMPS)/package: $(STAMPS)/requirements pyproject.toml setup.py $(KERNEL) $(FRONTEND)
	@echo "Building Varloom ..."
	@VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q src || true # so that even the first start is fast
	@touch $@

install: $(STAMPS)/package ## Install Varloom into .venv (idempotent)

run: install ## Start the database, the server and a worker, and print the address
	@$(BIN)/varloom serve $(if $(DATA),--data $(DATA)) $(RUN_FLAGS)

test: install ## Run all tests, four files at a time
	@$(BIN)/python scripts/ensure_browser.py
	@$(BIN)/python scripts/ensure_test_programs.py
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)

check: install ## Lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

audit: install ## Look up known vulnerabilities of all that is built with
	@$(BIN)/python scripts/audit_dependencies.py $(AUDIT_FLAGS)

docs: install ## Build the documentation as a site in build/site, offline
	@$(BIN)/python scripts/build_docs.py

wheel: install ## Build wheel and source distribution into dist/, and check what is in them
	@$(BIN)/python scripts/make_wheel.py

wheelhouse: wheel ## Gather the wheel and all that it needs in dist/wheelhouse, for machines without a network
	@$(BIN)/python scripts/make_wheelhouse.py

prove-install: wheelhouse ## Install the wheel by uv and by pipx, without node or a compiler, and load a file
	@$(BIN)/python scripts/prove_install.py

bench: install ## Run the benchmarks, side by side with the peers
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

verify: install ## Hold every cell of datasets of a million records to the text of their files
	@$(BIN)/python benchmarks/verify_cells.py

fuzz: install ## Spoil valid files in many ways and look what the reader makes of them
	@$(BIN)/python tests/faults/mutation_run.py --seeds 20

chaos: install ## Kill, freeze, cut and spoil everything while jobs run (SEED, JOBS, WORKERS)
	@$(BIN)/python -m tests.chaos --seed $(SEED) --jobs $(JOBS) --workers $(WORKERS) $(CHAOS_FLAGS)

format: install ## Format the code
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix --quiet .

lock: $(STAMPS)/uv ## Pin the requirements anew, and list their licences
	@cd requirements && sh lock.sh
	@$(MAKE) --no-print-directory install
	@$(BIN)/python scripts/write_licences.py

clean: ## Remove what the other targets built
	rm -rf $(VENV) node_modules build dist THIRD-PARTY.txt src/varloom/web/static/dist src/*.egg-info src/varloom/*/native/*.so
