package access

// Step is one thing that was found out about a request on its way.
type Step struct {
	// Stop is where it was found: issuer, route, authenticate, policy or verdict.
	Stop string `json:"stop"`
	Text string `json:"text"`
}

// Explanation collects the steps to a verdict. A nil Explanation collects
// nothing, so that the request path need not ask.
type Explanation struct{ Steps []Step }

// On reports whether steps are collected; ask before formatting one.
func (e *Explanation) On() bool { return e != nil }

// Note adds a step. The text never holds a secret.
func (e *Explanation) Note(stop, text string) {
	if e != nil {
		e.Steps = append(e.Steps, Step{Stop: stop, Text: text})
	}
}
