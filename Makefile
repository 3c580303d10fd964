# Thin wrappers over packaging/bootstrap.py, which Windows users call directly:
#   python packaging\bootstrap.py run
# Another Python: make run PYTHON=python3.13    Arguments: make test ARGS="-k memory"

CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python
PYTHON ?= $(shell for p in $(CANDIDATES); do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
ARGS ?=
BOOTSTRAP = $(or $(PYTHON),python3) packaging/bootstrap.py

.PHONY: run test test-faults test-security bench lint install lock clean
.DEFAULT_GOAL := run

run test test-faults test-security bench lint install lock clean:
	@command -v $(or $(PYTHON),python3) >/dev/null || { \
		echo "nestor: there is no Python here. Nestor needs 3.11 or newer: apt-get install" \
		"python3 python3-venv, dnf install python3, pacman -S python, or brew install python" >&2; \
		exit 1; }
	@$(BOOTSTRAP) $@ $(ARGS)
