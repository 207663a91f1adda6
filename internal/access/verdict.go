package access

// Outcome is the kind of a verdict.
type Outcome uint8

// The outcomes. The zero value is a fault, so that a verdict that nobody
// pronounced lets nobody in.
const (
	Faulted Outcome = iota
	Denied
	Allowed
)

// String returns the outcome's name in logs and metrics.
func (o Outcome) String() string {
	switch o {
	case Allowed:
		return "allow"
	case Denied:
		return "deny"
	}
	return "fault"
}

// Verdict is what the gate pronounces. It is a closed type: only Allow, Deny
// and Fault make one, and its zero value is a fault. Doors render it and add
// nothing.
type Verdict struct {
	outcome Outcome

	// Reason is why; its code is CodeAllowed on an allow.
	Reason Reason
	// DryRun is why policy denied a request that is allowed all the same, because
	// policy is on a dry run. Its code is empty otherwise.
	DryRun Reason
	// Status is the HTTP status for the client on a denial or fault.
	Status int
	// Body is the whole body of a denial or fault, with its ContentType.
	Body        string
	ContentType string

	// DecisionID names this verdict in the logs, to the client and to the
	// upstream.
	DecisionID string
	// Revision names the policy, data and configuration it was made with.
	Revision string
	// Route is the matched route's name; empty for the default.
	Route string
	// Identity is what was proven; never nil once the gate has pronounced.
	Identity *Identity

	// Managed are the headers that Postern alone speaks for, with their
	// spelling. Every managed header is here, with an empty value where there
	// is nothing to say: the client's own must not stay.
	Managed []Header
	// Upstream are further headers that policy sets on the request.
	Upstream []Header
	// Remove are headers of the request that must not reach the upstream:
	// credentials, aliases of managed headers, what policy removes. Names are
	// in lower case; none of them is in Managed or Upstream.
	Remove []string
	// SetQuery and RemoveQuery change the query on the way to the upstream.
	SetQuery    []Param
	RemoveQuery []string

	// Client are headers for the client: on a denial the challenges and the
	// policy's own, on an allow the policy's response headers.
	Client []Header
	// Warnings are for the log: what policy asked for and did not get.
	Warnings []string

	// Metadata is the policy's metadata for the gateway's later filters.
	Metadata map[string]any
}

// Outcome says whether the request is let through.
func (v *Verdict) Outcome() Outcome { return v.outcome }

// Allow makes the verdict that lets a request through.
func Allow() Verdict {
	return Verdict{outcome: Allowed, Reason: Reason{Code: CodeAllowed}, Status: CodeAllowed.Status()}
}

// Deny makes the verdict that refuses a request, with the status that belongs
// to the reason's code.
func Deny(reason Reason) Verdict {
	return Verdict{outcome: Denied, Reason: reason, Status: reason.Code.Status()}
}

// Fault makes the verdict for everything that went wrong on our side. It is
// closed: the request is not let through.
func Fault(detail string) Verdict {
	return Verdict{Reason: Reason{Code: CodeFault, Detail: detail}, Status: CodeFault.Status()}
}
