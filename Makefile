# Either `make demo` or `make test` may be the first command ever run here.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Tests run in as many processes as there are cores, each with one thread.
WORKERS ?= auto

.PHONY: demo test lint types readme pages check benchmarks clean

demo: $(INSTALLED)
	$(BIN)/oddgan demo

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(INSTALLED)
	$(BIN)/mypy

# Runs the code blocks of the README, and the examples of the docs, as they stand there: two files
# at a time, each in a folder of its own.
readme: $(INSTALLED)
	printf '%s\n' README.md docs/*.md docs/detectors/*.md \
	  | OMP_NUM_THREADS=1 xargs -P 2 -n 1 $(BIN)/python docs/run_blocks.py

# Writes the pages of docs/detectors, and their pictures, from the detectors.
pages: $(INSTALLED)
	$(BIN)/python docs/make_detector_pages.py --pictures

check: test lint types readme

benchmarks: $(INSTALLED)
	$(BIN)/python benchmarks/loop_overhead.py
	$(BIN)/python benchmarks/score_memory.py
	$(BIN)/python benchmarks/vs_pyod.py

clean:
	rm -rf $(VENV) demo-output

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo 'OddGAN needs Python 3.11 or newer; name one: make PYTHON=python3.12'; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@
