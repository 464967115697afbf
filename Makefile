# One word each, in an environment with `pip install -c constraints.txt -e '.[test]'`; `make` alone says which.
.PHONY: help check test demo numbers ci
PYTHON ?= python

help:
	@echo "make check    style, types, import contracts; a minute"
	@echo "make test     all tests; half an hour on one core, see CONTRIBUTING.md for parts of it"
	@echo "make demo     audit the two LoRAs that ship; some minutes"
	@echo "make numbers  the demo again, and whether every number is what it was"
	@echo "make ci       everything that a change must pass, in a virtual environment of its own"

check:
	.ci/check

test:
	$(PYTHON) -m pytest

demo:
	$(PYTHON) . --demo

numbers:
	$(PYTHON) -m pytest tests/demo/test_numbers.py

ci:
	.ci/run
