package rules

import (
	"errors"
	"strings"

	"github.com/postern-authz/postern/internal/consumer/certname"
)

// names are the ways in which a client certificate may be named: the field and
// how its value becomes a reference.
var names = []struct {
	field string
	of    func(*Credential) string
	read  func(string) (string, error)
}{
	{"uri_san", func(c *Credential) string { return c.URISAN }, certname.URI},
	{"dns_san", func(c *Credential) string { return c.DNSSAN }, readDNS},
	{"subject", func(c *Credential) string { return c.Subject }, certname.Subject},
	{"sha256", func(c *Credential) string { return c.SHA256 }, certname.Fingerprint},
}

func (r *reader) certificate(c *Credential, p *Proof) {
	given, value := 0, ""
	for _, name := range names {
		if !r.has(name.field) {
			continue
		}
		given++
		var err error
		if value, err = name.read(name.of(c)); err != nil {
			r.refuse(name.field, "%s", err)
			value = ""
		}
	}
	if given != 1 {
		r.refuse("", "expected one of uri_san, dns_san, subject and sha256")
		return
	}
	p.Reference.Value = value
}

// readDNS refuses a wildcard: whoever declares one means more than the one
// certificate that has it.
func readDNS(text string) (string, error) {
	if strings.Contains(text, "*") {
		return "", errors.New("a DNS name with a wildcard names no single client; expected the name itself")
	}
	return certname.DNS(text)
}
