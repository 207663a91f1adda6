package config

import (
	"net/netip"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// AdminToken lets its holder use the admin API. Role is "viewer", "editor" or
// "admin".
type AdminToken struct {
	Name, Role string
	Token      access.Secret
}

// Guarded reports whether what the admin listener lets do is out of reach of
// other machines, or asks for a token. One that is not must not be opened.
func (l *Listen) Guarded() bool {
	return len(l.AdminTokens) > 0 || localAddress(l.Admin.Address)
}

// localAddress reports that nobody else can reach an address. What can't be
// read is not.
func localAddress(address string) bool {
	if strings.HasPrefix(address, "unix:") || strings.HasPrefix(address, "localhost:") {
		return true
	}
	at, err := netip.ParseAddrPort(address)
	return err == nil && at.Addr().IsLoopback()
}

// guarded refuses an admin listener that everybody may use.
func (c *checker) guarded(l *Listen) {
	const field = "listen.admin.address"
	if !c.broken(field) && !l.Guarded() {
		c.refuse(field, "is within reach of other machines, so the API there needs listen.admin.tokens; or expected an address on loopback, or unix:PATH")
	}
}

// An admin token in characters.
const (
	leastToken = 16
	mostToken  = 512
)

func (c *checker) adminTokens(list []adminTokenPart) []AdminToken {
	const field = "listen.admin.tokens"
	if len(list) > maxItems {
		c.refuse(field, "has %d tokens; expected at most %d", len(list), maxItems)
		return nil
	}
	var tokens []AdminToken
	var values []access.Secret
	names := map[string]int{}
	for i := range list {
		values = append(values, c.adminToken(at(field, i), &list[i]))
		c.once(at(field, i)+".name", names, list[i].Name)
		c.another(at(field, i)+".token", values)
		tokens = append(tokens, AdminToken{Name: list[i].Name, Role: string(list[i].Role), Token: values[i]})
	}
	return tokens
}

func (c *checker) adminToken(field string, p *adminTokenPart) access.Secret {
	if c.doc.Has(field+".name") && !issuerName.MatchString(p.Name) {
		c.refuse(field+".name", "%s", expectedName)
	}
	token := c.secret(field+".token", p.Token)
	if c.doc.Has(field+".token") && !c.broken(field+".token") && !sendable(token.Reveal()) {
		c.refuse(field+".token", "what it refers to is no token; expected %d to %d visible ASCII characters, such as from: openssl rand -base64 33", leastToken, mostToken)
	}
	return token
}

// sendable reports whether a token is long enough and can stand in a header.
func sendable(token []byte) bool {
	for _, b := range token {
		if b <= ' ' || b > '~' {
			return false
		}
	}
	return len(token) >= leastToken && len(token) <= mostToken
}

// adminHosts are names, so that a page elsewhere can't reach the API by a name
// of its own (DNS rebinding).
func (c *checker) adminHosts(hosts []string) []string {
	const field = "listen.admin.hosts"
	hosts = c.hosts(field, hosts)
	for i, host := range hosts[:min(len(hosts), maxItems)] {
		if strings.HasPrefix(host, "*.") {
			c.refuse(at(field, i), "expected a whole name")
		}
	}
	return hosts
}
