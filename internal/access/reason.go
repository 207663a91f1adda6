package access

import (
	"errors"
	"net/http"
	"time"
)

// Code is the stable name of a reason, as clients, logs and metrics see it.
type Code string

// The codes of denials and faults. They are a contract with the outside: never
// renamed.
const (
	CodeAllowed            Code = "allowed"
	CodeMissingCredential  Code = "missing_credential"
	CodeInvalidCredential  Code = "invalid_credential"
	CodeExpiredCredential  Code = "expired_credential"
	CodeMissingRole        Code = "missing_role"
	CodeMissingScope       Code = "missing_scope"
	CodeMissingGroup       Code = "missing_group"
	CodeConstraintViolated Code = "constraint_violated"
	CodeDeniedByPolicy     Code = "denied_by_policy"
	CodeMalformedRequest   Code = "malformed_request"
	CodeTooManyFailures    Code = "too_many_failures"
	CodeFault              Code = "fault"
)

// Codes lists every code, for bounded metric labels and for documentation.
func Codes() []Code {
	return []Code{
		CodeAllowed, CodeMissingCredential, CodeInvalidCredential, CodeExpiredCredential,
		CodeMissingRole, CodeMissingScope, CodeMissingGroup, CodeConstraintViolated,
		CodeDeniedByPolicy, CodeMalformedRequest, CodeTooManyFailures, CodeFault,
	}
}

// Status is the HTTP status that belongs to a code.
func (c Code) Status() int {
	switch c {
	case CodeAllowed:
		return http.StatusOK
	case CodeMissingCredential, CodeInvalidCredential, CodeExpiredCredential:
		return http.StatusUnauthorized
	case CodeMissingRole, CodeMissingScope, CodeMissingGroup, CodeConstraintViolated, CodeDeniedByPolicy:
		return http.StatusForbidden
	case CodeMalformedRequest:
		return http.StatusBadRequest
	case CodeTooManyFailures:
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

// Message is what a client is told. It never says which part of a credential
// was wrong, nor repeats anything that the client sent.
func (c Code) Message() string {
	switch c {
	case CodeAllowed:
		return "The request is allowed."
	case CodeMissingCredential:
		return "A credential is required."
	case CodeInvalidCredential:
		return "The credential is not valid."
	case CodeExpiredCredential:
		return "The credential has expired."
	case CodeMissingRole:
		return "A required role is missing."
	case CodeMissingScope:
		return "A required scope is missing."
	case CodeMissingGroup:
		return "A required group is missing."
	case CodeConstraintViolated:
		return "The credential may not be used like this."
	case CodeDeniedByPolicy:
		return "Policy does not allow this request."
	case CodeMalformedRequest:
		return "The request can't be read safely."
	case CodeTooManyFailures:
		return "Too many credentials were refused; try again later."
	}
	return "The request could not be authorized."
}

// Reason is why a verdict is not an allow. Code is for everyone; Detail is for
// the log and for `postern check` alone, and never holds a secret.
type Reason struct {
	Code   Code
	Detail string
}

// ErrNoCredential is an authenticator's word that the request carries no
// credential of its kind: "not mine". It is the only answer after which other
// kinds may still prove the request.
var ErrNoCredential = errors.New("no credential of this kind")

// Unreadable is a request that can't be read safely, found out after its door
// had read it: policy reads bodies and queries, which the doors do not.
type Unreadable struct{ Detail string }

// Error implements error.
func (u *Unreadable) Error() string { return u.Detail }

// LeftToOthers is "not mine" about something that is there: it stands in a
// header of the kind's and has the form of another kind's. Where no kind that
// is believed takes it, it is a bad credential and not the lack of one.
type LeftToOthers struct {
	// Header is in lower case.
	Header string
}

// Error implements error.
func (l *LeftToOthers) Error() string {
	return "what stands in the header " + l.Header + " is left to another kind"
}

// Unwrap makes it an ErrNoCredential.
func (*LeftToOthers) Unwrap() error { return ErrNoCredential }

// Rejection is an authenticator's word that a credential is there and is bad.
type Rejection struct {
	// Code is CodeInvalidCredential, CodeExpiredCredential, or
	// CodeTooManyFailures for one that was not looked at.
	Code   Code
	Detail string
	// Unknown: the credential was refused because there is no such one, as far as
	// is known here. All other refusals hold whatever became known since.
	Unknown bool
	// RetryAfter is when to come back, with CodeTooManyFailures.
	RetryAfter time.Duration
}

// Error implements error.
func (r *Rejection) Error() string { return string(r.Code) + ": " + r.Detail }

// Invalid rejects a credential, with the detail for the log.
func Invalid(detail string) *Rejection {
	return &Rejection{Code: CodeInvalidCredential, Detail: detail}
}

// Unknown rejects a credential that nobody is known to have.
func Unknown(detail string) *Rejection {
	return &Rejection{Code: CodeInvalidCredential, Detail: detail, Unknown: true}
}

// TooManyFailures refuses to look at a credential: looking is slow, and enough
// is being looked at.
func TooManyFailures(detail string, retryAfter time.Duration) *Rejection {
	return &Rejection{Code: CodeTooManyFailures, Detail: detail, RetryAfter: retryAfter}
}

// Expired rejects a credential that was proven and whose life has ended.
func Expired(detail string) *Rejection {
	return &Rejection{Code: CodeExpiredCredential, Detail: detail}
}
