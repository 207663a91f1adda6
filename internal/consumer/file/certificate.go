package file

import (
	"errors"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/certname"
)

// names are the ways in which a client certificate may be named: the field and
// how its value becomes a reference.
var names = []struct {
	field string
	of    func(*credential) string
	read  func(string) (string, error)
}{
	{"uri_san", func(c *credential) string { return c.URISAN }, certname.URI},
	{"dns_san", func(c *credential) string { return c.DNSSAN }, readDNS},
	{"subject", func(c *credential) string { return c.Subject }, certname.Subject},
	{"sha256", func(c *credential) string { return c.SHA256 }, certname.Fingerprint},
}

func (s source) certificate(c *credential) (consumer.Reference, bool) {
	ref, given, good := consumer.Reference{Kind: access.KindClientCertificate}, 0, true
	for _, name := range names {
		if !s.has(name.field) {
			continue
		}
		given++
		value, err := name.read(name.of(c))
		if err != nil {
			s.at(name.field).problem("%s", err)
		}
		good = err == nil && s.at(name.field).take("certificate\x00"+value, "the same certificate name")
		ref.Value = value
	}
	if given != 1 {
		s.problem("expected one of uri_san, dns_san, subject and sha256")
		return ref, false
	}
	return ref, good
}

// readDNS refuses a wildcard: whoever declares one means more than the one
// certificate that has it.
func readDNS(text string) (string, error) {
	if strings.Contains(text, "*") {
		return "", errors.New("a DNS name with a wildcard names no single client; expected the name itself")
	}
	return certname.DNS(text)
}
