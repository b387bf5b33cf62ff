# make wheel: a wheel for x86-64 Linux with the kernels compiled; elsewhere they compile on first use.
# make demo: environment, models, one answered question.  make test: environment, checks, tests.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MODELS := qwen2.5-coder-1.5b qwen2.5-coder-0.5b all-minilm-l6-v2

.PHONY: demo test test-slow screens check docs format env dist check-dist wheel clean
.DELETE_ON_ERROR:

demo: env
	$(BIN)/leadline models pull $(MODELS)
	$(BIN)/leadline demo

test: env check docs
	$(BIN)/pytest -n auto
	$(BIN)/leadline models pull smollm2-135m
	$(BIN)/pytest -m slow tests/runtime/test_openai_engine_on_llama_server.py

test-slow: env
	$(BIN)/leadline models pull smollm2-135m $(MODELS)
	$(BIN)/pytest -m slow

# Pictures of the terminal application, from a real session: make screens DOCS=folder of SQLite's HTML
screens: env
	$(BIN)/leadline models pull $(MODELS)
	$(BIN)/python docs/screens/make_screens.py --docs $(DOCS)

check: env
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: env
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

format: env
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# A source distribution, and from it a wheel that compiles the kernels on first use.
dist: env
	rm -rf build dist
	$(BIN)/python -m build --no-isolation

# What dist built, in clean environments: alone, with each extra, by uvx and by pipx. Fetches
# gigabytes once; UV_FIND_LINKS may name folders of wheels.
check-dist: dist
	$(BIN)/python -m pip install --quiet uv pipx
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python tests/clean_installs.py

# The library needs glibc alone, and of it nothing newer than 2.28 has: hence the platform's name.
PLATFORM := manylinux_2_28_x86_64

wheel: env
	rm -rf build
	mkdir -p kernels/lib
	$(BIN)/python -c 'from pathlib import Path; from leadline.kernels import compiling as c; \
		c.compile_library(c.find_compiler() or "c++", Path("kernels/lib") / c.LIBRARY)'
	$(BIN)/python -m pip wheel --no-deps --wheel-dir dist \
		--config-settings=--build-option=--plat-name=$(PLATFORM) .
	rm -rf build kernels/lib

env: $(READY)

$(READY): pyproject.toml constraints.txt
	@echo "Creating the environment in $(VENV): a few hundred megabytes to fetch, and"
	@echo "llama-cpp-python to compile from source, which takes 3 to 15 minutes the first time."
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade -c constraints.txt pip
	CMAKE_BUILD_PARALLEL_LEVEL=$${CMAKE_BUILD_PARALLEL_LEVEL:-$$(getconf _NPROCESSORS_ONLN)} \
		$(BIN)/python -m pip install --progress-bar off -c constraints.txt --group dev -e .
	@touch $@

clean:
	rm -rf $(VENV) build dist kernels/lib *.egg-info src/*.egg-info .mypy_cache .ruff_cache .pytest_cache
