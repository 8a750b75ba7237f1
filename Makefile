# One command per intention. A fresh machine needs only Python >= 3.11 with venv, and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check
# CPU-bound tests share the machine with the servers they start: two workers at least.
JOBS   ?= 4
FUZZ_SECONDS ?= 600

.PHONY: help run test check bench accuracy soak fuzz install dev lock docs clean
help:            ## what can be asked for
	@grep -hE '^[a-z]+: .*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	$(PIP) install --quiet --require-hashes -r requirements.lock
	$(PIP) install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.dev: tests/requirements.lock $(VENV)/.installed
	$(PIP) install --quiet --require-hashes -r tests/requirements.lock
	@touch $@

install: $(VENV)/.installed   ## only the set-up; .venv/bin/jiesu is then there
dev: $(VENV)/.dev

run: install                  ## everything on this machine, on http://127.0.0.1:8080
	$(BIN)/jiesu up

test: dev                     ## the whole test suite
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal

check: dev                    ## ruff, mypy --strict, import-linter, deptry, spelling of the house rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/deptry .

bench: dev                    ## every figure as a ratio to a bare server measured in the same run
	$(BIN)/python -m benchmarks

soak: dev                     ## the long fault tests: 20,000 submissions, 10,000 mentions on Weibo, 50 kills and more
	$(BIN)/python -m pytest -m soak -s tests/system tests/workers/test_life_model.py tests/workers/test_matters.py

# Not in the lock: built for CPython on Linux and macOS only, and needed for nothing else.
fuzz: dev                     ## look for mail that breaks the reading of mail, for FUZZ_SECONDS
	$(PIP) install --quiet --no-deps atheris==3.0.0
	$(BIN)/python -m tests.fuzz.mail -max_total_time=$(FUZZ_SECONDS)

accuracy: dev                 ## how right the normalizer is, into docs/reference/accuracy.md (needs the shared data)
	OMP_NUM_THREADS=1 $(BIN)/python -m tests.accuracy

docs: dev                     ## write docs/reference and normalizer/schemas from the code
	$(BIN)/python -m tests.generate

lock:                         ## renew both lock files (needs uv)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml -o requirements.lock
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	  pyproject.toml --group dev --constraint requirements.lock -o tests/requirements.lock

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis
