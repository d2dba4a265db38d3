# Every target runs `bootstrap` first, so a fresh clone needs no set-up. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

REG ?= registry.local
IMG ?= $(REG)/myapp
NS ?= test-rollback
RELEASE ?= myapp
# What `make build` tagged last; before that, the day's first tag.
TAG ?= $(or $(shell cat deploy/tag 2>/dev/null),$(shell date +%Y%m%d).1)
VALUES ?= deploy/values.yaml
CHART ?= charts/myapp
TIMEOUT ?= 5m
export NS RELEASE

PNPM_VERSION := 10.34.9
CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/safe-deploy
PNPM_HOME := $(CACHE)/pnpm-$(PNPM_VERSION)
export PATH := $(CURDIR)/node_modules/.bin:$(PNPM_HOME)/node_modules/.bin:$(PATH)
export TURBO_TELEMETRY_DISABLED := 1

LAB := node packages/lab/src/main.ts
# The lab's KUBECONFIG and tools, unless KUBECONFIG names a cluster already.
IN_LAB := eval "$$($(LAB) env)" &&
CTL := $(IN_LAB) node packages/ctl/dist/ctl.mjs

## The two commands
.PHONY: demo
demo: build-packages ## Set everything up and show a good deploy, a bad one, and the way back
	@node e2e/src/demo.ts

.PHONY: test
test: bootstrap browser ## Lint, type-check and test all that needs no cluster
	@pnpm -s lint
	@pnpm -s turbo run typecheck --output-logs=errors-only
# One package at a time: several start servers of their own, and what they test is not how they share two cores.
	@pnpm -s turbo run test --concurrency=1 --continue --output-logs=errors-only

## On a real cluster
.PHONY: e2e
e2e: build-packages browser ## Show every capability once on a real cluster
	@cd e2e && node ../node_modules/vitest/vitest.mjs run

.PHONY: e2e-full
e2e-full: build-packages browser ## Every matrix and repetition; writes docs/e2e-results.md
	@cd e2e && E2E_FULL=1 node ../node_modules/vitest/vitest.mjs run

.PHONY: e2e-agent
e2e-agent: build-packages ## Versions good and bad under an agent that steers, on a real cluster
	@cd e2e && E2E_FULL=1 node ../node_modules/vitest/vitest.mjs run test/agent.test.ts

.PHONY: bench
bench: build-packages ## Measure the figures of docs/benchmarks.md, as ratios
	@node e2e/src/bench.ts

.PHONY: up
up: bootstrap ## Start the lab cluster, or check the one that KUBECONFIG names
	@$(LAB) up --install

.PHONY: down
down: bootstrap ## Remove the lab cluster and every trace of it
	@$(LAB) down

.PHONY: env
env: bootstrap ## Shell lines that set KUBECONFIG and PATH, for eval
	@$(LAB) env

## Deploying (REG, IMG, TAG, NS, RELEASE, VALUES, CHART)
.PHONY: build
build: build-packages ## Build the app's image, tagged YYYYMMDD.N; TAG=... chooses the tag
	@$(LAB) image build app --repository $(IMG) $(if $(filter command line environment,$(origin TAG)),--tag $(TAG)) --tag-file deploy/tag

.PHONY: push
push: bootstrap ## Push the image to its registry
	@$(LAB) image push $(IMG):$(TAG)

.PHONY: set-image
set-image: build-packages ## Write IMG:TAG into VALUES
	@$(CTL) set-image $(IMG):$(TAG) --file $(VALUES)

.PHONY: deploy
deploy: build-packages ## Deploy, verify, and go back when it fails
	@$(CTL) deploy --chart $(CHART) $(if $(wildcard $(VALUES)),-f $(VALUES)) --create-namespace --timeout $(TIMEOUT)

.PHONY: verdict
verdict: build-packages ## Build and install the verdict service, which judges canaries (mode: rollout)
	@cd packages/verdict-service && node build.ts
	@$(LAB) image build verdict --repository $(REG)/verdict --tag-file deploy/verdict-tag
	@$(LAB) image push $(REG)/verdict:$$(cat deploy/verdict-tag)
	@$(IN_LAB) helm upgrade --install verdict charts/verdict -n verdict --create-namespace --wait --timeout $(TIMEOUT) \
		--set image.repository=$(REG)/verdict --set-string image.tag=$$(cat deploy/verdict-tag)

.PHONY: wait
wait: build-packages ## Wait until what is under way has ended
	@$(CTL) wait --timeout $(TIMEOUT)

.PHONY: smoke
smoke: build-packages ## Run the declared checks inside the cluster
	@$(CTL) smoke

.PHONY: logs
logs: build-packages ## The last log lines of the release's pods
	@$(CTL) logs

.PHONY: history
history: build-packages ## The revisions and the verdict on each
	@$(CTL) history

.PHONY: undo
undo: build-packages ## Go back to the last verified release
	@$(CTL) undo

.PHONY: fail-on
fail-on: build-packages ## Deploy with FEATURE_NEW=true, and leave it although it fails
	@$(CTL) fail-on --chart $(CHART) --no-rollback

.PHONY: fail-off
fail-off: build-packages ## Deploy with FEATURE_NEW=false
	@$(CTL) fail-off --chart $(CHART)

.PHONY: argo-app argo-sync argo-rollback
argo-app argo-sync argo-rollback: ## Argo CD: see docs/modes.md
	@echo 'make $@: this version deploys with Helm only; with Argo CD, point an Application at $(CHART) (docs/modes.md).' >&2; exit 2

.PHONY: manifests
manifests: bootstrap ## Render the release without hooks, for kubectl apply
	@$(IN_LAB) node charts/manifests.ts --release $(RELEASE) --namespace $(NS) $(if $(wildcard $(VALUES)),-f $(VALUES))

.PHONY: clean
clean: build-packages ## Remove the release and its namespace
	@$(IN_LAB) kubectl delete namespace $(NS) --ignore-not-found --timeout 2m
	@rm -f deploy/tag $(VALUES)

## This repository
.PHONY: bootstrap
bootstrap: node_modules/.bootstrapped ## Bring Node 24, pnpm and the packages (a no-op when they are there)

node_modules/.bootstrapped: pnpm-lock.yaml pnpm-workspace.yaml package.json $(wildcard packages/*/package.json charts/package.json load/package.json e2e/package.json)
	@scripts/bootstrap $(PNPM_VERSION) $(PNPM_HOME)
	@touch $@

.PHONY: browser
browser: ## Bring the Chromium that pages are tested in (a no-op when it is there)
	@scripts/browser

.PHONY: build-packages
build-packages: packages/ctl/dist/ctl.mjs packages/smoke/dist/smoke.mjs

# The report's page is inlined into every report, so its script and style are built before ctl.
packages/report/dist/page-assets.mjs: $(shell find packages/report/src -name '*.ts' -o -name '*.css' 2>/dev/null) packages/report/build.ts | bootstrap
	@cd packages/report && node build.ts && touch dist/page-assets.mjs

packages/ctl/dist/ctl.mjs: $(shell find packages/ctl/src packages/agent/src packages/kube/src packages/report/src packages/smoke/src packages/verdict/src packages/verdict-service/src -name '*.ts' 2>/dev/null) packages/agent/model/model.json packages/report/dist/page-assets.mjs packages/ctl/build.ts bundle.shared.ts | bootstrap
	@cd packages/ctl && node build.ts && touch dist/ctl.mjs

packages/smoke/dist/smoke.mjs: $(shell find packages/smoke/src -name '*.ts' 2>/dev/null) packages/smoke/build.ts | bootstrap
	@cd packages/smoke && node build.ts && touch dist/smoke.mjs

.PHONY: lint
lint: bootstrap ## Lint, formatting and types
	@pnpm -s lint
	@pnpm -s turbo run typecheck --output-logs=errors-only

.PHONY: test-count
test-count:
	@node scripts/test-count.ts

.PHONY: help
help:
	@awk 'BEGIN {FS = ":.*## "} /^## / {printf "\n%s\n", substr($$0, 4)} /^[a-z][a-z0-9-]*:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
