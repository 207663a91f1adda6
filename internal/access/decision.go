package access

// Decision is what policy said. Its zero value denies.
type Decision struct {
	Allowed bool
	// Status, Body and Headers are what the policy wants the client to see on
	// a denial; on an allow, Headers go to the upstream. Status 0 and an empty
	// Body leave the gate's own.
	Status  int
	Body    string
	HasBody bool
	Headers []Header
	// ResponseHeaders go to the client on an allow.
	ResponseHeaders []Header
	// RemoveHeaders are taken from the request on its way to the upstream.
	RemoveHeaders []string
	SetQuery      []Param
	RemoveQuery   []string
	// Metadata is handed to the gateway's later filters (Envoy:
	// dynamic_metadata).
	Metadata map[string]any
	// Detail says in words for a log why the answer is no, when it was not the
	// policy's plain word: undefined, not a boolean.
	Detail string
}
