# Each target is one command. "make help" lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# The compiler that is installed builds it; none is fetched.
export GOTOOLCHAIN := local

# The linters have a go.mod of their own, so that the program's stays its own.
TOOL := go tool -modfile=tools/go.mod

FUZZTIME ?= 10s
BENCH    ?= .
BENCHTIME ?= 1s
SEEDS    ?= 200
SEED     ?=
SOAK     ?= 28800
DEMO     ?=

.PHONY: help build test race lint fmt fuzz bench microbench sim soak demo shots images ci clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build bin/ingest, attributor, reporter and track-source
	go build -trimpath -o bin/ ./cmd/...

test: ## run the tests
	go test ./...

race: ## run the tests under the race detector
	go test -race ./...

lint: ## vet and lint (the first run builds the linter, some minutes)
	go vet ./...
	$(TOOL) golangci-lint run ./...

fmt: ## format the sources and sort their imports
	$(TOOL) golangci-lint fmt ./...

fuzz: ## fuzz every decoder for FUZZTIME (10s) each
	tools/fuzz $(FUZZTIME)

bench: ## measure the line: a table, and bin/bench.json; BENCH=regexp
	BENCH_JSON=$(CURDIR)/bin/bench.json go test -run '^$$' -bench '$(BENCH)' -benchtime 1x -timeout 1h -count=1 ./internal/bench

microbench: ## run the benchmarks of single packages; BENCH=regexp, BENCHTIME=1s
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $$(go list ./... | grep -v /internal/bench)

sim: ## run the whole line under faults for SEEDS (200) seeds, or for the one SEED
	SIM_SEEDS=$(SEEDS) SIM_SEED=$(SEED) go test -count=1 -timeout 4h -run '^TestSeeds$$' ./internal/sim

soak: ## the same with fresh seeds, and 200,000 events under kill -9 on Kafka, for SOAK (28800) seconds
	go test -race -c -o bin/sim.test ./internal/sim
	go test -c -o bin/chaos.test ./internal/chaos
	@cd internal/sim; end=$$(($$(date +%s) + $(SOAK))); rounds=0; \
	while (($$(date +%s) < end)); do \
		seed=$$((SRANDOM % 1000000000 + 1)); \
		SIM_SEED=$$seed ../../bin/sim.test -test.count=1 -test.timeout 10m -test.run '^TestSeeds$$' || \
			{ echo "again with: make sim SEED=$$seed"; exit 1; }; \
		if ((rounds % 50 == 0)); then \
			(cd ../chaos && CHAOS_SEED=$$seed CHAOS_EVENTS=200000 CHAOS_ACTS=200 ../../bin/chaos.test -test.timeout 3h -test.v -test.run '^TestOneBroker$$') || \
				{ echo "again with: CHAOS_SEED=$$seed CHAOS_EVENTS=200000 CHAOS_ACTS=200"; exit 1; }; \
		fi; \
		rounds=$$((rounds + 1)); \
	done; \
	echo "$$rounds seeds passed"

demo: ## run the demo, the whole line in one process; DEMO='--once --json' adds flags
	go run ./cmd/track-source demo $(DEMO)

shots: ## take a picture of every view of the page into bin/shots
	npm ci --prefix internal/dashboard/e2e --no-audit --no-fund
	DASHBOARD_SHOTS=$(CURDIR)/bin/shots go test -count=1 -run '^TestBrowser$$' -v ./internal/dashboard

images: ## take the pictures of docs/images from the demo
	npm ci --prefix internal/dashboard/e2e --no-audit --no-fund
	tools/images

ci: ## do what CI does
	.ci/run

clean: ## remove what build made
	rm -rf bin
