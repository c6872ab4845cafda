# Each target does its own set-up: a virtual environment in .venv, and nothing outside this folder.
#   make run | test | check | bench        PYTHON=python3.12 make test   to choose another Python

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test check bench pictures test-oldest test-clients clean

run: $(VENV)/run-ready
	@$(BIN)/voicelive-tui $(ARGS)

# The programs that tests start are to find the package compiled, whatever the environment says.
test: export PYTHONDONTWRITEBYTECODE :=
test: $(VENV)/dev-ready
	$(BIN)/pytest $(ARGS)

check: $(VENV)/dev-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev-ready
	$(BIN)/python -m tests.benchmarks $(ARGS)

# The pictures of the README, exported by the program.
pictures: $(VENV)/dev-ready
	$(BIN)/python -m tests.pictures

clean:
	rm -rf $(VENV) $(VENV)-oldest $(VENV)-clients

$(VENV)/run-ready: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo]'
	@touch $@

$(VENV)/dev-ready: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[demo,dev,record]'
	@touch $@ $(VENV)/run-ready

$(BIN)/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is missing; on Debian: apt-get install python3 python3-venv"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Another one: make PYTHON=python3.12 ..."; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo "$(PYTHON) cannot make virtual environments; on Debian: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# The lower bounds of pyproject.toml, taken at their word.
test-oldest:
	$(PYTHON) -m venv $(VENV)-oldest
	$(VENV)-oldest/bin/pip install --quiet --disable-pip-version-check --editable '.[demo,dev,record]' \
	  $$($(PYTHON) -c "import tomllib; print(*[d.replace('>=', '==') for d in tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies']])")
	$(VENV)-oldest/bin/pytest $(ARGS)

# Other people's clients against the loopback service, each in the newest version, in a virtual environment of their own.
test-clients: $(VENV)/dev-ready
	$(PYTHON) -m venv $(VENV)-clients
	$(VENV)-clients/bin/pip install --quiet --disable-pip-version-check --requirement tests/clients/requirements.txt
	$(BIN)/python -m tests.clients $(VENV)-clients/bin/python $(ARGS)
