# `make run` plays the main job, `make test` runs everything.
GO       ?= go
FUZZTIME ?= 10s

.PHONY: help run test check bench build generate fuzz crashtest

help: ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

run: ## the bridge and its simulator in one process: the main job, seen
	@$(GO) run ./cmd/kopir run $(ARGS)

build: ## bin/kopir, static
	CGO_ENABLED=0 $(GO) build -trimpath -o bin/kopir ./cmd/kopir

test: ## everything; installs witnesses on Debian with root, says elsewhere what was not run
	@.ci/witnesses
	$(GO) vet ./...
	@.ci/with-postgres .ci/with-mysql $(GO) test -count=1 ./...
	@.ci/hsm

check: ## what must be green before a commit
	@.ci/check

bench: ## figures, with their references in the same run
	@.ci/bench

crashtest: ## ten minutes of kills, pauses, cut connections and full disks: nothing may be lost
	@.ci/crashtest 80s

generate: ## regenerate what is generated, and fail on a difference
	$(GO) generate ./...
	git diff --exit-code

fuzz: ## every fuzz target for FUZZTIME
	@FUZZTIME=$(FUZZTIME) .ci/fuzz
