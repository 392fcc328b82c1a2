# The book's commands. Each sets up what it needs; `make` by itself lists them.

PYTHON ?= python3
PROFILE ?= cpu
LOOK_AT ?= smoke
CHAPTERS ?=
JOBS ?= 2

BIN = .venv/bin
PYTEST = $(BIN)/python -m pytest --quiet --numprocesses $(JOBS) --dist loadfile

# The checked outputs come from TensorFlow, so one run shows that a chapter runs on JAX too and prints the same.
# In this profile XLA would take longer to make a network fast than the network takes to run as it is.
ON_JAX = ARTBOOK_PROFILE=smoke KERAS_BACKEND=jax OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 \
	XLA_FLAGS=--xla_backend_optimization_level=0

# Without bytecode every kernel would take five seconds more to import TensorFlow.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help set-up book test lab clean

help:
	@echo "make book    run the chapters and render the book to _build/html/index.html"
	@echo "make test    check the package, the notebooks and the pages"
	@echo "make lab     open the chapters in JupyterLab"
	@echo "make clean   remove all that was made here; downloaded data stay in the user's cache"
	@echo
	@echo "PYTHON=$(PYTHON)      the Python to set up with: 3.11, 3.12 or 3.13"
	@echo "PROFILE=$(PROFILE)         smoke (seconds), cpu (the book) or gpu (Colab)"
	@echo "LOOK_AT=$(LOOK_AT)       the profile of the runs and pages that make test looks at"
	@echo "CHAPTERS=$(CHAPTERS)           parts or chapters to run, for example music; all if none is named"
	@echo "JOBS=$(JOBS)              chapters, or files of tests, at a time"

set-up:
	@$(PYTHON) src/artbook/press/setup.py

book: set-up
	@$(BIN)/artbook run --profile $(PROFILE) --jobs $(JOBS) $(CHAPTERS)
	@$(BIN)/artbook render --profile $(PROFILE)

test: set-up
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/artbook run --profile $(LOOK_AT) --jobs $(JOBS)
	$(BIN)/artbook render --profile $(LOOK_AT)
	$(PYTEST) tests --profile $(LOOK_AT)
	$(ON_JAX) $(PYTEST) --nbval-lax book

lab: set-up
	@$(BIN)/jupyter lab book

clean:
	rm -rf _build .venv .venv-colab .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
