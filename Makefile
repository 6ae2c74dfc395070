# `make` prints this menu. Two commands matter on a fresh machine: `make run` and `make test`.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PY := .venv/bin/python
STAMP := .venv/.lock-$(shell sha256sum requirements.lock | cut -c1-16)
BENCH_STAMP := .venv-bench/.lock-$(shell sha256sum requirements-bench.lock | cut -c1-16)
# Against a test that hangs; on a quiet machine of two cores the tests take less than 360.
SECONDS_OF_TESTS := 1200

# Where people write figures and dates and read refusals; TAMGA_TEST_LANGUAGE=ru make test runs all of them so.
IN_RUSSIAN := tests/unit/test_{web,words,forms,money,audit_words,workflow}*.py \
  tests/integration/test_{loans,notifications_web,audit_web,quarantine_web,cofinancing_web,portal_people}*.py \
  tests/integration/test_grants_{money,rules,queue,form,pages,bulk,agreement,day,alike}.py

help: ## Print this menu
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n\033[1m%s\033[0m\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# No test may need another before it: they run in an order by seed, and another seed is another order.
export TAMGA_TEST_SEED ?= 1

# Tests start many processes: what is compiled once is kept for all of them.
unexport PYTHONDONTWRITEBYTECODE

##@ Run it
setup: $(STAMP) ## Make .venv from the lock file (again only when the lock has changed)

run: setup ## Start everything on this machine; Ctrl-C stops all of it
	@exec $(PY) -m services run

demo: ## Drive the programme's story over HTTP and check every act, here or in containers
	@exec deploy/demo $(A)

##@ Run it in containers
init: ## Make .env and secrets/, once: four questions, or --yes in A=
	@exec $(PYTHON) -m deploy.compose init $(A)

doctor: ## Look whether it can run here and how it is, with the command that mends what is wrong
	@exec $(PYTHON) -m deploy.compose doctor $(A)

up: ## Start everything and wait until it works
	@exec $(PYTHON) -m deploy.compose up $(A)

backup: ## Make a backup now; TO=FOLDER copies it out of its volume
	@exec $(PYTHON) -m deploy.compose.keeping backup $(if $(TO),--to "$(TO)") $(A)

restore: ## Bring a backup back while Tamga is down: FILE=FILE, A=--replace over data that are there
	@exec $(PYTHON) -m deploy.compose.keeping restore --file "$(FILE)" $(A)

drill: ## Try out the newest backup beside what runs; prints what would be lost, and how long it would take
	@exec $(PYTHON) -m deploy.compose.keeping drill $(if $(FILE),--file "$(FILE)") $(A)

upgrade: ## Install the release that is checked out, or v=VERSION; goes back by itself when it does not come up
	@exec $(PYTHON) -m deploy.compose upgrade $(if $(v),--to "$(v)") $(A)

rollback: ## Go back to the release before; A=--restore brings its last backup back too
	@exec $(PYTHON) -m deploy.compose rollback $(A)

support-bundle: ## One file for whoever helps: state, logs, figures; no secrets, no names. F=FILE
	@exec $(PYTHON) -m deploy.monitoring.parcel $(F)

down: ## Stop everything in order; the data stay
	@exec $(PYTHON) -m deploy.compose down $(A)

restart: ## Start a part anew: s=grants-worker; all of them without it
	@exec docker compose restart $(s)

ps: ## Say how each container is
	@exec docker compose ps --all --format 'table {{.Service}}\t{{.Status}}\t{{.Ports}}'

logs: ## Follow what they say; s=grants-api for one of them
	@exec docker compose logs --follow --tail 100 $(s)

tamga: ## Run an operator's command: c="audit verify"
	@exec $(PYTHON) -m deploy.compose tamga $(c)

images: ## Build the images; without any registry: AIRGAP=1
	@exec deploy/$(if $(AIRGAP),airgap,app)/build

bundle: ## Write all that another machine needs without internet to build/tamga-VERSION.tar
	@exec deploy/airgap/bundle

##@ Work on it
test: setup ## Run all tests; T=path for some of them
	@deploy/test-machine
	@exec timeout --kill-after=30 $(SECONDS_OF_TESTS) $(PY) -m pytest $(or $(T),-n 3 --dist loadfile --no-loadscope-reorder -m "not slow")

test-slow: setup ## Run the tests that need a minute or more: whole starts, a log of 66,000 events; and some in Russian
	@deploy/test-machine
	@# These tell long stories of one house, from its beginning to its end: in the order in which they are written.
	@TAMGA_TEST_SEED= timeout --kill-after=30 $(SECONDS_OF_TESTS) $(PY) -m pytest -q -n 2 --dist loadfile -m slow
	@TAMGA_TEST_LANGUAGE=ru exec timeout --kill-after=30 $(SECONDS_OF_TESTS) \
	  $(PY) -m pytest -q -n 2 --dist loadfile -m "not slow" $(IN_RUSSIAN)

test-containers: setup ## The integration tests on the images' servers, PostgreSQL 17 and RabbitMQ 4.0, where Docker runs
	@TAMGA_TEST_SERVERS=containers TAMGA_SIMULATIONS=200 exec timeout --kill-after=30 $(SECONDS_OF_TESTS) \
	  $(PY) -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder -m "not slow" $(or $(T),tests/integration)

lint: setup ## Check style, types and the walls between the modules
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@.venv/bin/lint-imports --config pyproject.toml

fmt: setup ## Format the code and fix what can be fixed
	@$(PY) -m ruff check --fix . ; $(PY) -m ruff format .

schemas: setup ## Write down the events' schemas and docs/events; refuses what would break a reader
	@$(PY) -m services.catalogue

bench: setup $(BENCH_STAMP) ## Measure beside other systems, 15 minutes; QUICK=1 2 minutes, HUGE=1, WRITE=1
	@PYTHONPATH=. $(PY) -W ignore -m tests.bench $(if $(QUICK),--quick) $(if $(HUGE),--huge) $(if $(WRITE),--write)
	@PYTHONPATH=.:tests/integration $(PY) -W ignore -m tests.bench.queue $(if $(QUICK),--quick) $(if $(HUGE),--huge) $(if $(WRITE),--write)
	@PYTHONPATH=.:tests/integration $(PY) -W ignore -m tests.bench.decisions $(if $(QUICK),--quick) $(if $(WRITE),--write)
	@$(PY) -W ignore -m tests.bench.loans $(if $(QUICK),--quick)
	@PYTHONPATH=.:tests/integration $(PY) -W ignore -m tests.bench.portfolio $(if $(QUICK),--loans 5000)
	@PYTHONPATH=.:tests/integration $(PY) -W ignore -m tests.bench.exporting --rows $(if $(QUICK),2000,100000)
	@PYTHONPATH=.:tests/integration $(PY) -W ignore -m tests.bench.millions --events $(if $(HUGE),10000000,200000) $(if $(QUICK),--only search,) $(if $(WRITE),--write)
	@PYTHONPATH=.:tests/integration $(PY) -W ignore -m tests.bench.inbox $(if $(QUICK),--referrals 1000)

chaos: setup ## Kill, cut and fill everything and account for each event; SEED=, MINUTES=30, SCALE=, WRITE=1
	@SEED=$(SEED) MINUTES=$(MINUTES) SCALE=$(SCALE) WRITE=$(WRITE) exec $(PY) -m shared.testing.reliability

chaos-cluster: setup ## Kill a cluster's leader, fail its database over, under load; CONTAINERS=0.1.0, WRITE=1
	@WRITE=$(WRITE) CONTAINERS=$(CONTAINERS) exec timeout --kill-after=60 900 $(PY) -m shared.testing.cluster_chaos

ci-compose: setup ## Build, start, drive and stop the whole stack on an engine of its own, 12 minutes; KEEP=folder
	@deploy/test-machine
	@KEEP=$(KEEP) exec deploy/check-stack

##@ Tidy up
clean: ## Remove caches and .venv; the data in .tamga stay
	@rm -rf .venv .venv-bench .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .schemathesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP):
	@PYTHON=$(PYTHON) deploy/setup $(STAMP)

# The systems that Tamga is measured against, in an environment of their own.
$(BENCH_STAMP): requirements-bench.lock
	@rm -rf .venv-bench && .venv/bin/python -m venv .venv-bench
	@.venv-bench/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $@

.PHONY: help setup run demo init doctor up upgrade rollback down restart ps logs tamga backup restore drill support-bundle images bundle test test-slow test-containers lint fmt schemas bench chaos chaos-cluster ci-compose clean
