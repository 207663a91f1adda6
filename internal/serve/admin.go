package serve

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"time"

	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/assertion"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// adminServer answers /healthz, /readyz, /metrics, the public keys of signed
// identities, and the admin API: JSON below /v1/ and gRPC, which needs HTTP/2
// without TLS.
func adminServer(status *status, metrics, jwks, api http.Handler, logger *slog.Logger) *http.Server {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("ok\n"))
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		report := status.read()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !report.Ready {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		_ = json.NewEncoder(w).Encode(report) // the client has gone
	})
	mux.Handle("GET /metrics", metrics)
	mux.Handle(assertion.JWKSPath, jwks)
	mux.Handle(admin.Prefix, api)
	mux.Handle("/"+adminv1.Admin_ServiceDesc.ServiceName+"/", api)
	protocols := &http.Protocols{}
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Server{
		Handler:           mux,
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       30 * time.Second, // an import is large
		WriteTimeout:      90 * time.Second, // a revocation may wait for a minute
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
}
