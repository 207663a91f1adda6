package extauthz

import (
	"encoding/json"
	"fmt"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/postern-authz/postern/internal/access"
)

// renderer makes CheckResponses of verdicts.
type renderer struct {
	faultAsError bool
	headers      headerWriter
	// allowed is shared by all answers: nobody writes to it.
	allowed *statuspb.Status
}

func newRenderer(faultAsError bool) *renderer {
	return &renderer{
		faultAsError: faultAsError,
		headers:      newHeaderWriter(),
		allowed:      &statuspb.Status{Code: int32(codes.OK)},
	}
}

// render makes the answer. query is the request's raw query, in which a
// parameter to remove may be spelt in several ways. An error means that the
// verdict can't be sent as it is, and so must not be sent at all.
func (r *renderer) render(v *access.Verdict, query string) (*authv3.CheckResponse, error) {
	metadata, err := dynamicMetadata(v)
	if err != nil {
		return nil, err
	}
	answer := &authv3.CheckResponse{Status: r.allowed, DynamicMetadata: metadata}
	if v.Outcome() == access.Allowed {
		ok, err := r.allow(v, query)
		answer.HttpResponse = ok
		return answer, err
	}
	denied, err := r.deny(v)
	if err != nil {
		return nil, err
	}
	answer.Status = &statuspb.Status{Code: int32(rpcCode(v)), Message: string(v.Reason.Code)}
	answer.HttpResponse = &authv3.CheckResponse_DeniedResponse{DeniedResponse: denied}
	if r.faultAsError && v.Outcome() == access.Faulted {
		answer.HttpResponse = &authv3.CheckResponse_ErrorResponse{ErrorResponse: denied}
	}
	return answer, nil
}

// rpcCode is what Envoy denies by: anything but OK.
func rpcCode(v *access.Verdict) codes.Code {
	if v.Outcome() == access.Faulted {
		return codes.Unavailable
	}
	switch v.Status {
	case 400:
		return codes.InvalidArgument
	case 401:
		return codes.Unauthenticated
	case 429:
		return codes.ResourceExhausted
	}
	return codes.PermissionDenied
}

func (r *renderer) allow(v *access.Verdict, query string) (*authv3.CheckResponse_OkResponse, error) {
	headers, remove, err := r.upstream(v)
	if err != nil {
		return nil, err
	}
	client, err := r.headers.write(v.Client, r.headers.response())
	if err != nil {
		return nil, err
	}
	ok := &authv3.OkHttpResponse{Headers: headers, HeadersToRemove: remove, ResponseHeadersToAdd: client}
	ok.QueryParametersToSet, ok.QueryParametersToRemove, err = changeQuery(v, query)
	return &authv3.CheckResponse_OkResponse{OkResponse: ok}, err
}

// deny renders a denial or fault: what the verdict says, and the two headers
// that go with each.
func (r *renderer) deny(v *access.Verdict) (*authv3.DeniedHttpResponse, error) {
	if v.Status < 200 || v.Status > 599 {
		return nil, fmt.Errorf("a denial can't have the HTTP status %d", v.Status)
	}
	if err := checkText("the body", v.Body); err != nil {
		return nil, err
	}
	lines := make([]access.Header, 0, len(v.Client)+3)
	lines = appendNonEmpty(lines, "X-Decision-Id", v.DecisionID)
	lines = appendNonEmpty(lines, "X-Postern-Code", string(v.Reason.Code))
	lines = appendNonEmpty(lines, "Content-Type", v.ContentType)
	headers, err := r.headers.write(append(lines, v.Client...), r.headers.denial())
	if err != nil {
		return nil, err
	}
	return &authv3.DeniedHttpResponse{
		Status:  &typev3.HttpStatus{Code: typev3.StatusCode(v.Status)},
		Headers: headers,
		Body:    v.Body,
	}, nil
}

func appendNonEmpty(lines []access.Header, name, value string) []access.Header {
	if value == "" {
		return lines
	}
	return append(lines, access.Header{Name: name, Value: value})
}

// fault is the answer when there is no verdict that could be sent.
func (r *renderer) fault(decisionID string) *authv3.CheckResponse {
	if !isPlainID(decisionID) {
		decisionID = ""
	}
	v := access.Fault("")
	v.DecisionID, v.ContentType = decisionID, "application/json"
	// Marshalling three strings can't fail, nor can rendering what is made here.
	body, _ := json.Marshal(struct {
		Code       access.Code `json:"code"`
		Message    string      `json:"message"`
		DecisionID string      `json:"decision_id"`
	}{v.Reason.Code, v.Reason.Code.Message(), decisionID})
	v.Body = string(body)
	answer, err := r.render(&v, "")
	if err != nil {
		return &authv3.CheckResponse{Status: &statuspb.Status{Code: int32(codes.Unavailable)}}
	}
	return answer
}

// isPlainID reports that an id can stand in a header and in JSON as it is.
func isPlainID(id string) bool {
	return checkName(id) == nil
}
