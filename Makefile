# `make test` and `make demo` set everything up themselves: python3 (3.11 to 3.14), git and make are enough.
PYTHON ?= python3
PY := .venv/bin/python

.PHONY: demo test prove verify bench docs release setup requirements clean

demo: setup        ## the whole job in two minutes, on loopback
	@.venv/bin/policykit demo

test: setup        ## style, types, layers, security, tests, coverage
	@$(PY) .ci/stages.py test

prove: setup       ## the promises of docs/reliability.md with their N figures (long)
	@$(PY) .ci/stages.py prove

verify: setup      ## `test`, and what needs programs of the machine; names what it did not run
	@$(PY) .ci/stages.py verify

bench: setup       ## each row of docs/speed: goal, measured ratio, met or not
	@$(PY) -m bench

docs: setup        ## regenerate generated pages (docs/cli.md)
	@$(PY) .ci/make_docs.py

release: setup      ## the wheel, the source, their bill of materials and SHA256SUMS in dist/
	@$(PY) .ci/release.py

setup:
	@$(PYTHON) .ci/setup.py

requirements: setup  ## pin requirements/dev.in anew, with the hash of every file
	@.venv/bin/python -m pip install -q pip-tools
	@.venv/bin/pip-compile -q --upgrade --generate-hashes --strip-extras --no-header \
	  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host --no-annotate -o requirements/dev.txt requirements/dev.in

clean:
	@rm -rf .venv .make .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache bench/out
