package admin

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The stable codes of problems. proto/README.md lists them with their statuses.
const (
	codeInvalidArgument  = "invalid_argument"
	codeMalformed        = "malformed"
	codeUnauthenticated  = "unauthenticated"
	codePermissionDenied = "permission_denied"
	codeNotFound         = "not_found"
	codeMethodNotAllowed = "method_not_allowed"
	codeConflict         = "conflict"
	codeExists           = "exists"
	codeDeclared         = "declared"
	codeVersionMismatch  = "version_mismatch"
	codeTooLarge         = "too_large"
	codeMediaType        = "unsupported_media_type"
	codeMisdirected      = "misdirected"
	codeUnprocessable    = "unprocessable"
	codeRateLimited      = "rate_limited"
	codeLimitReached     = "limit_reached"
	codeStoreFull        = "store_full"
	codeUnavailable      = "unavailable"
	codeInternal         = "internal"
)

// domain is ErrorInfo's: whose codes these are.
const domain = "postern"

// problem is an error as clients see it, over HTTP (RFC 9457) and gRPC alike.
// It holds no secret and nothing of the inside.
type problem struct {
	code   string
	detail string
	fields []fieldProblem
	// conditional: the request named the version in If-Match, so that a mismatch
	// is 412 rather than 409 (RFC 9110 section 13.1.1).
	conditional bool
	// retryAfter, if not zero, is when to try again.
	retryAfter time.Duration
	// allow are the methods that a path has, of a 405.
	allow []string
}

// fieldProblem is what is wrong with one field, named as in the body.
type fieldProblem struct {
	Field string `json:"field"`
	Text  string `json:"text"`
}

// Error implements error.
func (p *problem) Error() string {
	var b strings.Builder
	b.WriteString(p.detail)
	for i, f := range p.fields {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		b.WriteString(f.Field + ": " + f.Text)
	}
	return b.String()
}

// invalid is a 400 about one field.
func invalid(field, text string) *problem {
	return &problem{code: codeInvalidArgument, detail: "the request has an invalid field", fields: []fieldProblem{{field, text}}}
}

// statuses are a code's HTTP status and gRPC code.
func (p *problem) statuses() (int, codes.Code) {
	switch p.code {
	case codeInvalidArgument, codeMalformed:
		return http.StatusBadRequest, codes.InvalidArgument
	case codeUnauthenticated:
		return http.StatusUnauthorized, codes.Unauthenticated
	case codePermissionDenied:
		return http.StatusForbidden, codes.PermissionDenied
	case codeNotFound:
		return http.StatusNotFound, codes.NotFound
	case codeMethodNotAllowed:
		return http.StatusMethodNotAllowed, codes.Unimplemented
	case codeExists:
		return http.StatusConflict, codes.AlreadyExists
	case codeConflict, codeDeclared, codeLimitReached:
		return http.StatusConflict, codes.FailedPrecondition
	case codeVersionMismatch:
		if p.conditional {
			return http.StatusPreconditionFailed, codes.Aborted
		}
		return http.StatusConflict, codes.Aborted
	case codeTooLarge:
		return http.StatusRequestEntityTooLarge, codes.ResourceExhausted
	case codeMediaType:
		return http.StatusUnsupportedMediaType, codes.InvalidArgument
	case codeMisdirected:
		return http.StatusMisdirectedRequest, codes.InvalidArgument
	case codeUnprocessable:
		return http.StatusUnprocessableEntity, codes.InvalidArgument
	case codeRateLimited:
		return http.StatusTooManyRequests, codes.ResourceExhausted
	case codeStoreFull:
		return http.StatusInsufficientStorage, codes.ResourceExhausted
	case codeUnavailable:
		return http.StatusServiceUnavailable, codes.Unavailable
	}
	return http.StatusInternalServerError, codes.Internal
}

// GRPCStatus makes the problem a gRPC status with the same code in its details.
func (p *problem) GRPCStatus() *status.Status {
	httpStatus, code := p.statuses()
	details := []protoadapt.MessageV1{&errdetails.ErrorInfo{
		Reason: p.code, Domain: domain, Metadata: map[string]string{"http_status": strconv.Itoa(httpStatus)},
	}}
	if len(p.fields) > 0 {
		bad := &errdetails.BadRequest{}
		for _, f := range p.fields {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: f.Field, Description: f.Text})
		}
		details = append(details, bad)
	}
	if p.retryAfter > 0 {
		details = append(details, &errdetails.RetryInfo{RetryDelay: durationpb.New(p.retryAfter)})
	}
	plain := status.New(code, p.Error())
	if full, err := plain.WithDetails(details...); err == nil {
		return full
	}
	return plain
}

// writeProblem answers with problem details (RFC 9457).
func writeProblem(w http.ResponseWriter, p *problem) {
	httpStatus, _ := p.statuses()
	body, err := json.Marshal(struct {
		Type   string         `json:"type"`
		Title  string         `json:"title"`
		Status int            `json:"status"`
		Detail string         `json:"detail"`
		Code   string         `json:"code"`
		Errors []fieldProblem `json:"errors,omitempty"`
	}{"about:blank", http.StatusText(httpStatus), httpStatus, p.detail, p.code, p.fields})
	if err != nil { // strings alone: can't be
		body = nil
	}
	header := w.Header()
	header.Set("Content-Type", "application/problem+json")
	header.Del("ETag")
	switch {
	case p.code == codeUnauthenticated:
		header.Set("WWW-Authenticate", `Bearer realm="postern admin"`)
	case len(p.allow) > 0:
		header.Set("Allow", strings.Join(p.allow, ", "))
	}
	if p.retryAfter > 0 {
		header.Set("Retry-After", strconv.Itoa(int((p.retryAfter+time.Second-1)/time.Second)))
	}
	w.WriteHeader(httpStatus)
	_, _ = w.Write(append(body, '\n')) // the client has gone
}
