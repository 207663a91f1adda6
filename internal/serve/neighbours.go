package serve

import "fmt"

func (n *built) issuerReports() []IssuerReport {
	var reports []IssuerReport
	for _, s := range n.issuers.State() {
		reports = append(reports, IssuerReport{
			Name: s.Name, Ready: s.Keys > 0, Keys: s.Keys, LastSuccess: s.LastSuccess, Error: s.LastError,
		})
	}
	return reports
}

func (n *built) introspectionReport() *IntrospectionReport {
	if n.server == nil {
		return nil
	}
	s := n.server.State()
	return &IntrospectionReport{
		Name: s.Name, Open: s.Open, InFlight: s.InFlight, Requests: s.Requests, Failures: s.Failures,
		LastSuccess: s.LastSuccess, Error: s.LastError,
	}
}

// String tells a person of an issuer's keys.
func (r IssuerReport) String() string {
	text := fmt.Sprintf("%s: %d keys", r.Name, r.Keys)
	if r.Error != "" {
		text += ", last fetch failed: " + r.Error
	}
	return text
}
