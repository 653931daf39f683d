# Copyright (c) 2026, aemops.brand_portal contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Two commands for a fresh Debian machine with git, make, python3 and apt:
#   make demo    heal a real machine whose clock is in 2017, and watch
#   make test    run all required tests
# Each step can be run alone; CONTRIBUTING.md has their requirements.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

environment = python3 tests/tools/environment.py
# No test may set the clock of this machine, not even as root.
without_clock = $(if $(filter 0,$(shell id -u)),setpriv --bounding-set=-sys_time --inh-caps=-sys_time)
pytest = $(without_clock) $$bin/python -m pytest -q --tb=short
# One worker per processor; lab machines mostly wait.
workers = --numprocesses auto
# Writes each of these measurements to one document; fails at the end if one is not as expected.
measure = missed=; for what in $(1); do python3 tests/bench/$$what --document $(2) || missed+=" $$what"; done; \
	test -z "$$missed" || { echo "not as wanted:$$missed"; exit 1; }

.PHONY: help demo test lint types sanity units targets system some-system lab-test repair-matrix repair-faults repair-cost aem-layouts rtc-test selinux-test bench scale fuzz stories java-words test-matrix execution-environment docs clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

demo: ## Heal a lab machine whose clock is in February 2017, and show it
	@bin=$$($(environment) dev); $(without_clock) $$bin/python tests/demo.py

test: ## All tests that must pass before a change is submitted: lint, types, sanity, units, targets, system
	@python3 tests/tools/steps.py lint types sanity units targets + system

lint: ## ansible-lint (production), yamllint, ruff, reuse, antsibull-docs, and words that CONTRIBUTING.md rules out
	@bin=$$($(environment) dev); export PATH=$$bin:$$PATH ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/collections; \
	ruff check . ; \
	python tests/tools/words.py ; \
	reuse lint --lines ; \
	yamllint --strict . ; \
	ansible-lint --strict --nocolor ; \
	antsibull-docs lint-collection-docs --plugin-docs --skip-rstcheck .

types: ## mypy
	@bin=$$($(environment) dev); $$bin/mypy

sanity: ## ansible-test sanity on the collection as users install it
	@bin=$$($(environment) dev); tests/tools/ansible-test $$bin sanity

units: ## Unit tests on the newest controller; code for hosts also on their oldest Python
	@tests/tools/packages libfaketime
	@bin=$$($(environment) dev); $(pytest) $(workers) tests/unit
	@if bin=$$($(environment) target-3.6 2>/dev/null); then $(pytest) $(workers) tests/unit/plugins/module_utils; \
	  else echo "not run: the unit tests of code for hosts on Python 3.6, which is not installed"; fi

targets: ## ansible-test integration: each module and filter once, against the fakes on loopback
	@bin=$$($(environment) dev); tests/tools/ansible-test $$bin integration --venv

system: ## Real playbook runs: against local fakes, and on lab machines with wrong clocks
	@$(environment) --missing
	@command -v java >/dev/null || tests/tools/packages default-jre-headless
	@bin=$$($(environment) dev); $(pytest) --numprocesses 3 --dist loadfile --no-loadscope-reorder tests/system

some-system: ## Real playbook runs that need no lab machine: from each ansible-core, with each strategy
	@bin=$$($(environment) dev); $(pytest) $(workers) --dist loadfile tests/system/test_targets.py tests/system/test_runner.py
	@bin=$$($(environment) dev); $(pytest) tests/system/test_fleet.py -k 'whatever_the_strategy or no_host_at_all'

lab-test: ## The lab's own test
	@bin=$$($(environment) dev); $(pytest) tests/lab/test_lab.py

repair-matrix: ## The repair on every kind of host with every wrong clock; writes docs/repair-matrix.md (an hour)
	@bin=$$($(environment) dev); $(without_clock) $$bin/python tests/repair/matrix.py

repair-faults: ## The repair with every known fault; writes docs/repair-faults.md (an hour)
	@bin=$$($(environment) dev); $(without_clock) $$bin/python tests/repair/faults.py

repair-cost: ## The duration of a repair, compared with the same commands by hand; writes docs/repair-cost.md (10 minutes)
	@bin=$$($(environment) dev); $(without_clock) $$bin/python tests/bench/repair.py

aem-layouts: ## The guard of AEM for each way to run it, each store and each wrong clock, and boots with a wrong clock (an hour)
	@bin=$$($(environment) dev); AEMOPS_AEM_LAYOUTS=all $(pytest) tests/system/test_aem_layouts.py tests/system/test_next_boot.py

rtc-test: ## The repair on an emulated machine that has a hardware clock, and the boot after it (4 minutes)
	@bin=$$($(environment) dev); $(without_clock) $$bin/python tests/repair/rtc.py

selinux-test: ## The repair on an emulated machine that enforces SELinux, and the boot after it (10 minutes)
	@bin=$$($(environment) dev); $(without_clock) $$bin/python tests/repair/selinux.py

bench: ## Accuracy, time and correctness of the measurement, compared with other NTP clients; writes docs/measuring.md (25 minutes)
	@$(call measure,'accuracy.py truth' 'accuracy.py silent' 'accuracy.py compare' dates.py hostile.py endurance.py,docs/measuring.md)

scale: ## The cost of a fleet of healthy hosts, compared with one ping; writes docs/scale.md (20 minutes)
	@$(call measure,'scale.py cost' 'scale.py growth' 'scale.py many',docs/scale.md)

stories: ## 5,000 random repairs with a second administrator, failures, kills and signals (20 minutes)
	@bin=$$($(environment) dev); AEMOPS_STORIES=5000 $(pytest) tests/unit/plugins/module_utils/_host/test_stories.py

fuzz: ## 100,000 mutated pages of AEM and NTP packets (5 minutes)
	@bin=$$($(environment) dev); AEMOPS_FUZZ_PAGES=100000 $(pytest) tests/unit/plugins/module_utils/_aem/test_agent_fuzz.py tests/unit/plugins/module_utils/_aem/test_agent_page.py \
	  tests/unit/plugins/module_utils/_clock/test_ntp_packet.py

java-words: ## Record the messages of real JVMs for each failure; writes tests/fakes/java_words.json (3 minutes, needs root)
	@tests/tools/packages openjdk-17-jdk-headless locales libc-l10n
	@bin=$$($(environment) dev); $(without_clock) $$bin/python tests/tools/java_words.py

mutants: ## Break the code that decides and repairs in hundreds of ways, and count the mutants that the unit tests find; writes docs/mutants.md (2 hours)
	@bin=$$($(environment) mutants); $(without_clock) $$bin/python tests/tools/mutants.py --document docs/mutants.md

test-matrix: ## Each ansible-core on each Python it allows to each Python of a host; writes docs/compatibility.md
	@tests/tools/packages libfaketime
	@bin=$$($(environment) dev); $(without_clock) $$bin/python tests/tools/matrix.py

execution-environment: ## Build the image for AWX, and heal a lab machine from inside it (3 minutes)
	@tests/tools/packages buildah mmdebstrap
	@bin=$$($(environment) dev); $(without_clock) $$bin/python tests/tools/execution_environment.py

docs: ## The site of the documentation, in tests/output/docs/html
	@bin=$$($(environment) docs); tests/tools/build-docs $$bin

clean: ## Remove environments, the lab's images and results
	rm -rf .cache tests/output
	python3 tests/lab/lab.py clean
