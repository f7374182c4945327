# make run    build, and serve the program of README on port 8880
# make test   every check there is (make help lists the rest)
#
# PYTHON=python3.13 make ... uses that interpreter (3.11 or later) for a new .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STEP := scripts/step
FUZZ_SECONDS ?= 60
SOAK_SECONDS ?= 3600
SOAK_RESTARTS ?= 1000

# The extension is built for, and Rust's checks look at, the interpreter of .venv. Telling PyO3 that an extension
# module is being built spares the checks a libpython to link with, which many machines don't have.
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export PYO3_BUILD_EXTENSION_MODULE := 1
unexport PYTHONHOME

RUST_SOURCES := Cargo.toml Cargo.lock $(shell find engine -path engine/fuzz -prune -o \
	\( -name '*.rs' -o -name Cargo.toml \) -print 2>/dev/null)

.PHONY: help run test test-threads build dev fuzz soak soak-restarts bench fmt clean
.DEFAULT_GOAL := help

help:
	@echo 'make run      build, and serve examples/custom_response_codes.py on port 8880'
	@echo 'make test     ruff, mypy, stubtest, rustfmt, clippy, cargo test, pytest, a minute of fuzzing'
	@echo 'make test-threads   what several event loops in one process share: the same with PYTHON=python3.14t VENV=.venv-t'
	@echo 'make build    .venv with Sennit in it, the extension in release mode'
	@echo 'make fuzz     fuzz each parser for FUZZ_SECONDS (60) seconds'
	@echo 'make soak     mixed load for SOAK_SECONDS (3600) seconds, watching memory and descriptors'
	@echo 'make soak-restarts   restart workers SOAK_RESTARTS (1000) times under load; nothing may be lost or left'
	@echo 'make bench    measure against the peers; writes benchmarks/results'
	@echo 'make fmt      format the Python and the Rust'
	@echo 'make clean    remove what was built'

run: build
	@echo 'Visit http://localhost:8880/buy; Ctrl-C ends it.'
	@$(BIN)/sennit run examples/custom_response_codes.py

build: $(VENV)/.built

# Each stamp lies in the .venv that it tells about, and goes with it.
$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Sennit needs Python 3.11 or later; \
	this is %s. Name another with PYTHON=..." % sys.version.split()[0])'
	@$(STEP) venv $(PYTHON) -m venv --clear $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml scripts/requirements
	@$(BIN)/python scripts/requirements >$(VENV)/requirements.txt
	@$(STEP) 'pip install' $(BIN)/python -m pip install --disable-pip-version-check -r $(VENV)/requirements.txt
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	@$(BIN)/python scripts/requirements dev >$(VENV)/requirements-dev.txt
	@$(STEP) 'pip install (dev)' $(BIN)/python -m pip install --disable-pip-version-check \
		-r $(VENV)/requirements-dev.txt
	@touch $@

$(VENV)/.built: $(VENV)/.installed $(RUST_SOURCES)
	@$(STEP) 'build the extension' $(BIN)/maturin develop --release
	@touch $@

# In a folder of its own: an installed Twisted would change what the other tests are about.
$(VENV)/.installed-twisted: $(VENV)/.created pyproject.toml scripts/requirements
	@$(BIN)/python scripts/requirements --only twisted-programs >$(VENV)/requirements-twisted.txt
	@$(STEP) 'pip install (Twisted)' $(BIN)/python -m pip install --disable-pip-version-check --upgrade \
		--target $(VENV)/twisted -r $(VENV)/requirements-twisted.txt
	@touch $@

dev: $(VENV)/.built $(VENV)/.installed-dev $(VENV)/.installed-twisted

test: dev
	@$(STEP) 'ruff check' $(BIN)/ruff check .
	@$(STEP) 'ruff format' $(BIN)/ruff format --check .
	@$(STEP) mypy $(BIN)/mypy --strict
	@$(STEP) stubtest $(BIN)/python -m mypy.stubtest sennit._engine --allowlist scripts/stubtest-allowlist
	@$(STEP) 'cargo fmt' cargo fmt --check
	@$(STEP) clippy cargo clippy --quiet --workspace --all-targets -- -D warnings
	@$(STEP) 'cargo test' cargo test --quiet --workspace --exclude sennit-engine
	@$(STEP) fuzz scripts/fuzz http1_request $(FUZZ_SECONDS)
	@$(STEP) --last-line pytest $(BIN)/python -m pytest -q

# Of use on a free-threaded Python, for which not all that the other tests need can be had.
test-threads: build
	@$(STEP) 'pip install (pytest)' $(BIN)/python -m pip install --disable-pip-version-check 'pytest>=9.0' 'httpx>=0.28'
	@$(STEP) --last-line pytest $(BIN)/python -m pytest -q tests/unit/web/test_many_loops.py \
		tests/unit/serving/test_threads.py tests/programs/test_threads.py

fuzz:
	@for target in engine/fuzz/fuzz_targets/*.rs; do \
		scripts/fuzz "$$(basename "$$target" .rs)" $(FUZZ_SECONDS) || exit 1; \
	done

soak: build
	$(BIN)/python scripts/soak $(SOAK_SECONDS)

soak-restarts: dev
	$(BIN)/python scripts/soak-restarts $(SOAK_RESTARTS)

bench: dev
	$(BIN)/python -m benchmarks

fmt: dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt

clean:
	rm -rf $(VENV) target dist engine/fuzz/target .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find src -name '_engine*.so' -delete
	find . -name __pycache__ -prune -exec rm -rf {} +
