# From a fresh clone: `make demo` to see it, `make test` to hold it to its promises. Needs make and python3-venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# Half of the tests' time is waiting, so that three files at a time suit two processors. A file's tests share programs; the
# long files are in the middle, and keep their place.
THREE_FILES_AT_A_TIME := --numprocesses 3 --dist loadfile --no-loadscope-reorder

NODE := tests/node_modules/.package-lock.json

.DEFAULT_GOAL := help
# `make -j test` must not lint before the programs are there, nor test while it lints.
.NOTPARALLEL:
.PHONY: help demo test lint promises cases bench fuzz mutants screenshots dashboard profile dist lock audit image-test seam soak crowd reloads replicas replicas-soak scale programs clean

help: ## What can be made
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/installed ## A gateway, a simulated VALT and a small portal, to try in a browser
	$(BIN)/valt-gateway demo $(DEMO)

test: programs $(NODE) lint ## Everything: programs, style, types, imports, tests (PYTEST="-k audit" for some)
	$(BIN)/pytest $(or $(PYTEST),$(THREE_FILES_AT_A_TIME))

lint: $(VENV)/installed-test ## Style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

promises: $(VENV)/installed-test ## What the tests hold: each promise with its tests
	@$(BIN)/pytest -qq --collect-only --promises | sed '/^tests/d'

cases: programs $(NODE) $(VENV)/installed-test ## The 161 hostile cases of tests/cases.toml: runs their tests, and lists each with its result
	$(BIN)/pytest -q $(THREE_FILES_AT_A_TIME) --cases

bench: $(VENV)/installed-test ## Speed beside other servers, in bench/ with PLOTS=1 (QUICK=1 takes three minutes; BENCH="--help" for options)
	@tests/programs.sh haproxy:haproxy nginx:nginx redis-server:redis-server cc:gcc
	$(BIN)/python -m tests.bench $(BENCH)

profile: $(VENV)/installed-test ## Processor time of each case, by library and by Python function, in profiles/
	@tests/programs.sh perf:linux-perf cc:gcc
	$(BIN)/python -m tests.bench.profile

seam: programs $(NODE) $(VENV)/installed-test ## All tests with the oldest and the newest aiohttp that is allowed
	@tests/seam.sh

soak: $(VENV)/installed-test ## How steady: streams for minutes under faults, memory and descriptors watched (MINUTES=10); a film of 5 GiB
	$(BIN)/python -m tests.soak.large_film
	$(BIN)/python -m tests.soak $(MINUTES)

crowd: $(VENV)/installed-test ## 2,000 viewers of two workers that carry 600, through faults: rate, refusals, memory (VIEWERS, SECONDS)
	$(BIN)/python -m tests.soak.crowd

reloads: $(VENV)/installed-test ## Workers replaced under load: 200 viewers, 50 requests a second, ten reloads, two upgrades
	VIEWERS=200 REQUESTS_PER_SECOND=50 RELOADS=10 UPGRADES=2 $(BIN)/python -m pytest -q tests/soak/reloads_under_load.py

replicas: programs $(VENV)/installed-test ## Two replicas behind nginx and HAProxy: 300 viewers while workers, a replica and Redis are killed, and upgrades
	VIEWERS=300 $(BIN)/python -m pytest -q tests/e2e/test_replicas_behind_fronts.py
	VIEWERS=60 ROUNDS=5 $(BIN)/python -m pytest -q tests/e2e/deploy/test_rolling_restarts.py

replicas-soak: programs $(VENV)/installed-test ## Two replicas for an hour: cuts, reloads, upgrades, revocations, clock steps, Redis (MINUTES=60)
	$(BIN)/python -m tests.soak.replicas $(MINUTES)

scale: $(VENV)/installed-test ## How many viewers what carries: a model calibrated by measurements, with plots in scale/
	$(BIN)/python -m tests.scale

fuzz: $(VENV)/installed-test ## Hostile input for every reader, guided by coverage, and pipelines of requests (MINUTES=10)
	$(PIP) -e '.[fuzz]' || echo "atheris cannot be installed for this Python: the inputs are not guided by coverage" >&2
	$(BIN)/python -m tests.fuzz $(MINUTES)

mutants: $(VENV)/installed-test ## Mutants of the modules that decide: 95 of 100 are killed, the others listed (MODULE=gateway/policy.py)
	nice -n 19 $(BIN)/python -m tests.mutants $(MODULE)

screenshots: programs $(VENV)/installed-test ## Each page and state at three sizes, light and dark, in screenshots/; README's pictures
	$(BIN)/python -m tests.support.screenshots

dashboard: programs $(VENV)/installed-test ## Grafana's dashboard, and each of its panels drawn in dashboard/, of a loaded gateway
	$(BIN)/python -m tests.support.dashboard_pictures

dist: $(VENV)/installed-test ## A release in dist/: packages, hashes, bill of materials, licences, man pages, completion
	rm -rf dist
	$(BIN)/python release.py dist

lock: $(VENV)/installed-test ## Lock files with hashes in locks/, of the versions in constraints.txt
	$(BIN)/python lock.py

audit: $(VENV)/installed-test ## Known vulnerabilities of what is locked; fails where the index cannot be asked
	@$(BIN)/python package_audit.py

image-test: $(VENV)/installed-test # The container's image, built of Debian's own packages, run and asked for its health (as root)
	@tests/image.sh

programs: # Real browsers, players and servers that the tests run against
	@tests/programs.sh

clean: ## Forget the virtual environment and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis mutants

# The OpenID provider that the tests sign in at comes from npm; the lock file names no addresses.
$(NODE): tests/package.json tests/package-lock.json | programs
	cd tests && npm ci --no-audit --no-fund --silent
	@touch $@

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; try make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "Python's venv is needed: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e .
	@touch $@

# The Kerberos package is compiled: its compiler and headers are among the programs.
$(VENV)/installed-test: $(VENV)/bin/python pyproject.toml constraints.txt | programs
	$(PIP) -e '.[kerberos,otel,redis,test]'
	$(BIN)/python -m tests.support.helm
	@touch $@ $(VENV)/installed
