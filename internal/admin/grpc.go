package admin

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// isGRPC reports whether the request is a gRPC call.
func isGRPC(r *http.Request) bool {
	return r.ProtoMajor == 2 && strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc")
}

// serveGRPC finds out who calls before a message is read, which may be a large
// one: gRPC's metadata are headers.
func (s *Server) serveGRPC(w http.ResponseWriter, r *http.Request) {
	who, p := s.readCaller(r)
	if p != nil {
		refuseCall(w, p.GRPCStatus())
		return
	}
	s.grpc.ServeHTTP(w, r.WithContext(withCaller(r.Context(), who)))
}

// refuseCall answers a call with a status alone ("Trailers-Only" in gRPC over
// HTTP/2).
func refuseCall(w http.ResponseWriter, st *status.Status) {
	header := w.Header()
	header.Set("Content-Type", "application/grpc")
	header.Set("Grpc-Status", strconv.Itoa(int(st.Code())))
	header.Set("Grpc-Message", url.PathEscape(st.Message()))
	if details, err := proto.Marshal(st.Proto()); err == nil {
		header.Set("Grpc-Status-Details-Bin", base64.RawStdEncoding.EncodeToString(details))
	}
	w.WriteHeader(http.StatusOK)
}
