# Postern as an image: one static program on an empty, non-root base.
#
#   docker build -t postern .
#   cp -r deploy/example /srv/postern && chown -R 65532 /srv/postern
#   docker run --rm --network host -v /srv/postern:/etc/postern postern
#
# The example keeps its store (SQLite) beside postern.yaml, so the user of the image, 65532, must be able to write there.
# A configuration without consumers.store, or with PostgreSQL, can be mounted read-only.
#
# As a sidecar it needs no more: the gateway asks it on loopback. In a pod or network of its own it must be told to
# listen beyond loopback, for instance with `serve --config /etc/postern/postern.yaml --grpc 0.0.0.0:9191`; then name
# the gateway in trusted_proxies, and use TLS.
#
# Health: the base has no shell, so there is no HEALTHCHECK line. Let the orchestrator ask: GET /readyz on 9193 for
# readiness, GET /healthz for liveness, or gRPC health on 9191. Give it longer to stop than Postern's own drain.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o /postern ./cmd/postern

# static: CA certificates, time zones and a user; no shell, no package manager, no libc.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /postern /postern
COPY LICENSE /LICENSE
USER nonroot:nonroot
EXPOSE 9191 9192 9193
ENTRYPOINT ["/postern"]
CMD ["serve", "--config", "/etc/postern/postern.yaml"]
