# "make" alone explains itself: a comment after two hashes is a target's help.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PANDO_ADDR ?= 127.0.0.1:8000
PANDO_DB   ?= .cache/demo.db
SEEDS      ?= 200
FROM       ?= 1
MINUTES    ?= 0
DB         ?= sqlite
NODES      ?= 0
BROKER     ?= nats
CACHE      ?=

GOLANGCI_VERSION := v2.15.0
GOLANGCI := bin/golangci-lint-$(GOLANGCI_VERSION)

BOARD := examples/board/frontend

# Folders that a build writes are no sources of it.
find_sources = $(shell find $(1) -type f -not -path '*/node_modules/*' -not -path '*/dist/*' 2>/dev/null)
# A stamp counts only while what it stands for is there.
unless_exists = $(if $(wildcard $(1)),,FORCE)

.PHONY: help
help: ## show this list
	@echo "Pando. Targets:"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 16 | sed 's/^/  /'

# ---- demo

# For a file the board is built without the clients of other databases.
demo_tags = $(if $(findstring ://,$(PANDO_DB)),,-tags small)

.PHONY: demo
demo: ## build and serve the board with demo data (PANDO_ADDR, PANDO_DB)
	@scripts/need.sh
	@$(MAKE) -j2 demo-frontend demo-warm
	@go build $(demo_tags) -o .cache/board ./examples/board
	@exec .cache/board runserver --addr $(PANDO_ADDR) --db $(PANDO_DB)

# Its file is another one than the board's.
mux_db = $(PANDO_DB:.cache/demo.db=.cache/mux.db)

.PHONY: mux
mux: ## build and serve live messages over one socket (PANDO_ADDR, PANDO_DB, PANDO_BROKER)
	@scripts/need.sh
	@$(MAKE) mux-client
	@go build -o .cache/mux ./examples/mux
	@exec .cache/mux runserver --addr $(PANDO_ADDR) --db $(mux_db)

.PHONY: mux-client
mux-client: .cache/ts.stamp
	@:

.PHONY: pando
pando: ## build bin/pando, which makes new projects
	go build -o bin/pando ./cmd/pando

.PHONY: demo-frontend
demo-frontend: .cache/board-frontend.stamp
	@:

# Compiles the slow dependencies while npm works; the binary itself comes after
# the page, which it may carry.
.PHONY: demo-warm
demo-warm: | .cache
	@go build $(demo_tags) ./manage ./token ./backend/sqlite

.cache:
	@mkdir -p $@

# npm writes this file last, and "npm ci" removes it first.
node_modules/.package-lock.json: package-lock.json
	npm ci --no-audit --no-fund --loglevel=error
	@touch $@

.cache/ts.stamp: node_modules/.package-lock.json $(call find_sources,ts/packages) \
		$(call unless_exists,ts/packages/client/dist) $(call unless_exists,ts/packages/react/dist) | .cache
	npm run build --silent
	@touch $@

.cache/board-frontend.stamp: .cache/ts.stamp $(call find_sources,$(BOARD)) $(call unless_exists,$(BOARD)/dist) | .cache
	npm run build --silent -w $(BOARD)
	@touch $@

.PHONY: FORCE
FORCE:

# ---- tests

.PHONY: setup
setup: ## install what the tests need (by apt when root) and npm packages
	@scripts/need.sh
	@scripts/setup.sh
	@$(MAKE) node_modules/.package-lock.json

.PHONY: test
test: ## run everything, with the time of each stage
	@scripts/stage.sh --start
	@scripts/stage.sh setup $(MAKE) setup
	@scripts/stage.sh lint $(MAKE) lint
	@scripts/stage.sh go-race $(MAKE) test-race
	@scripts/stage.sh sim $(MAKE) test-sim
	@scripts/stage.sh typescript $(MAKE) test-ts
	@scripts/stage.sh browser $(MAKE) test-browser
	@scripts/stage.sh --table

# Modules of their own, so that an app links no library that it does not use.
MODULES := examples/mounting examples/orm $(patsubst %/go.mod,%,$(wildcard adapters/*/go.mod))

.PHONY: test-go
test-go: ## Go tests, without the race detector
	go test ./...
	@for module in $(MODULES); do echo "cd $$module && go test ./..."; (cd $$module && go test ./...); done

.PHONY: test-race
test-race: ## Go tests with the race detector
	go test -race ./...
	@for module in $(MODULES); do echo "cd $$module && go test -race ./..."; (cd $$module && go test -race ./...); done

# Property tests, and the packages that have some.
HUNT       := TestTuplesAreTheirParts|TestEditsLead|TestModel|TestRecord|TestRandom|TestConformance|TestSubjects
PROPERTIES := ./schema ./gen ./internal/route ./feed/relay ./feed/sqlitefeed ./feed/pgfeed ./broker/natsbroker

.PHONY: hunt
hunt: ## property tests with values that were not drawn before (MINUTES)
	@end=$$(( $$(date +%s) + 60 * $(if $(filter-out 0,$(MINUTES)),$(MINUTES),10) )); while [ $$(date +%s) -lt $$end ]; do \
		PANDO_RANDOM=1 go test -count=1 -run '$(HUNT)' $(PROPERTIES) || exit 1; done

# The generated TypeScript is checked here, as it needs both languages.
.PHONY: test-ts
test-ts: node_modules/.package-lock.json ## TypeScript: build, lint, types, tests, sizes, packages
	npm run build
	npm run lint
	npm run typecheck
	npm test
	npm test -w guides-frontend
	npm run size
	npm run pack:check
	go run ./examples/board makefrontend --check

.PHONY: test-browser
test-browser: .cache/board-frontend.stamp ## the examples in a real browser (Chromium)
	npm test -w test/browser

.PHONY: lint
lint: $(GOLANGCI) ## go vet and golangci-lint in every module
	@scripts/lint.sh $(GOLANGCI)

.PHONY: fmt
fmt: $(GOLANGCI) ## format the Go sources
	$(GOLANGCI) fmt ./...

# The version is in the name, so that another one is installed when it changes.
$(GOLANGCI):
	@mkdir -p bin
	GOBIN=$(CURDIR)/bin go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv bin/golangci-lint $@

# ---- simulation

.PHONY: sim
sim: ## random schemas, transactions and clients against an oracle (SEEDS, FROM, MINUTES, DB, NODES, BROKER, CACHE)
	@cd test && go run ./sim -db=$(DB) -nodes=$(NODES) -broker=$(BROKER) -cache=$(CACHE) -seeds=$(SEEDS) -from=$(FROM) -minutes=$(MINUTES)

.PHONY: sim-full
sim-full: ## the large simulation on every database and broker; goes on where it stopped (MINUTES)
	@MINUTES=$(MINUTES) scripts/sim-full.sh

.PHONY: sim-replay
sim-replay: ## run one seed, or a saved script, again and print its history (SEED or SCRIPT, DB, NODES, BROKER, CACHE)
	@test -n "$(SEED)$(SCRIPT)" || { echo "name the seed: make sim-replay SEED=7" >&2; exit 2; }
	@cd test && go run ./sim -db=$(DB) -nodes=$(NODES) -broker=$(BROKER) -cache=$(CACHE) $(if $(SCRIPT),-script=$(SCRIPT),-replay=$(SEED))

.PHONY: sim-mutants
sim-mutants: ## deliberate faults that the simulation must find (ONLY, by names with commas); goes on where it stopped with NOTES, a file
	@cd test && go run ./mutants -only=$(ONLY) $(if $(NOTES),-notes=$(abspath $(NOTES)))

# SQLite is some twenty times slower under the race detector: a few seeds there.
.PHONY: test-sim
test-sim: ## the simulation as "make test" runs it, with its own tests
	cd test && go test ./...
	cd test && go run ./sim -seeds=40
	cd test && go run ./sim -db=postgres -seeds=20
	cd test && go run ./sim -db=postgres -nodes=3 -broker=nats -seeds=3
	cd test && go run ./sim -db=postgres -nodes=3 -broker=redis -seeds=3
	cd test && go run ./sim -db=postgres -nodes=3 -broker=nats -cache=memory -seeds=2 -events=false
	cd test && go run -race ./sim -seeds=3
	cd test && go run ./mutants -only=deletion-not-told,window-off-by-one,user-key-ignored

# ---- measures

.PHONY: bench
bench: ## Go benchmarks of the stages, with allocations
	go test -run '^$$' -bench . -benchmem ./internal/route ./internal/hub ./internal/wire

.PHONY: bench-latency
bench-latency: ## commit to the last of 100 clients, as RESULT lines
	@cd bench && go run ./latency

.PHONY: bench-idle
bench-idle: ## a server's memory for an idle connection, as RESULT lines
	@cd bench && go run ./latency -only idle

.PHONY: bench-bigtx
bench-bigtx: ## a large anchor, and a transaction of a million rows, as RESULT lines
	@cd bench && go run ./latency -only bigtx

.PHONY: bench-route
bench-route: ## changes per second through a tree of four layers, as RESULT lines
	@scripts/bench-route.sh

.PHONY: bench-coldstart
bench-coldstart: ## 10,000 anchors opened from the cache by a node that starts, as RESULT lines
	@cd bench && go run ./coldstart

.PHONY: bench-client
bench-client: node_modules/.package-lock.json ## the TypeScript client's store and sizes, as RESULT lines
	@npm run bench --silent

.PHONY: clean
clean: ## remove what was built, and the demo's database
	rm -rf .cache bin coverage bench/out test/out ts/packages/*/dist $(BOARD)/dist
