# What people type. Everything runs in .venv, which the first command makes; nothing is installed outside it.
PYTHON ?= python3
VENV   ?= .venv
EXTRAS ?= dev,demo
SHOP   ?= demo
BIN    := $(VENV)/bin
comma  := ,
STAMP  := $(VENV)/.opslib-$(subst $(comma),-,$(EXTRAS))
WORKERS ?= 2
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1

.PHONY: help report test full strict docs demo-ledger lab lint bench bench-truth bench-money bench-speed faults parity clean

help:            ## this list
	@grep -E '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 16

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "Python is missing: install Python 3.11 or newer, or say which one: make report PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; this one is $$($(PYTHON) --version). Say which one to use: make report PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "Python's venv module is missing: on Debian or Ubuntu, apt-get install python3-venv"; exit 1; }
	@echo "-- making the environment in $(VENV)"
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.opslib-run: $(VENV)/bin/python pyproject.toml
	@echo "-- installing opslib and what it needs (about a minute, once)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -q -e .
	@touch $@

$(STAMP): $(VENV)/bin/python pyproject.toml
	@echo "-- installing opslib and what its tests need: $(EXTRAS) (two minutes, once)"
	@$(BIN)/python -m pip install --disable-pip-version-check --progress-bar on -q -e ".[$(EXTRAS)]"
	@touch $@ $(VENV)/.opslib-run

report: $(VENV)/.opslib-run  ## management report of a shop (SHOP=demo unless given)
	@$(BIN)/opslib run $(SHOP)

test: $(STAMP)   ## tests and doctests; lists what it skipped, the slowest among it
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadscope $(TESTS)

full: $(STAMP)   ## all of them, the slowest too; result to docs/full.md
	@OPSLIB_SLOW=1 OPSLIB_MATRIX=1 OPSLIB_RECORD=docs/full.md $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope

strict: $(STAMP)  ## all but the matrix of shops that lack a table, as CI runs them
	@OPSLIB_SLOW=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadscope

docs: $(STAMP)   ## what documents say of the code: README's table of pages, docs/parity.md
	@$(BIN)/python -m tests.docs

lint: $(STAMP)   ## style, types, directions of import
	@$(BIN)/ruff check opslib benchmarks tests
	@$(BIN)/ruff format --check opslib benchmarks tests
	@$(BIN)/mypy
	@$(BIN)/lint-imports

demo-ledger: $(VENV)/.opslib-run  ## the demo's proposals and ledger, made from nothing
	@$(BIN)/opslib demo --ledger demo

lab: $(VENV)/.opslib-run     ## JupyterLab on the notebooks
	@$(BIN)/opslib shop check $(SHOP) || true
	@$(BIN)/jupyter lab --notebook-dir=notebooks

bench: bench-speed           ## speed against hand-written SQL

bench-speed: $(STAMP)        ## the same, results to docs/bench_speed.md
	@$(BIN)/python -m benchmarks speed --out docs/bench_speed.md

bench-truth: $(STAMP)        ## 1,000 replicates of every cell of the truth bench, results to docs/bench_truth.md
	@$(BIN)/python -m benchmarks regret --out docs/bench_regret.md
	@$(BIN)/python -m benchmarks truth --replicates 1000 --out docs/bench_truth.md

bench-money: $(STAMP)        ## one planted truth by four designs: the same net money, results to docs/money.md
	@$(BIN)/python -m benchmarks money --out docs/money.md

faults: $(STAMP)             ## broken inputs, killed kernels, tampered ledgers: every fault must be named
	@$(BIN)/python -m pytest -q -m "fault" tests

parity:          ## every table function on DuckDB, PostgreSQL and Spark
	@OPSLIB_SLOW=1 OPSLIB_MATRIX=1 $(MAKE) --no-print-directory test EXTRAS=dev,demo,postgres,spark TESTS="tests/engines tests/shop/test_database.py"

clean:           ## remove what was produced (not the environment)
	@rm -rf data/staged data/raw/demo reports/demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
