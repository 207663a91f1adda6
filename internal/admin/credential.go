package admin

import (
	"fmt"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// When a credential comes with a warning.
const (
	warnBefore = 30 * 24 * time.Hour
	warnUnused = 90 * 24 * time.Hour
)

// showIssued shows a credential with the key that was just made.
func (s *Server) showIssued(i *keyring.Issued) *adminv1.Credential {
	shown := s.showCredential(i.CredentialRecord)
	if !i.Key.Empty() {
		shown.Key = string(i.Key.Reveal())
	}
	return shown
}

// showCredential shows what is no secret.
func (s *Server) showCredential(c *consumer.CredentialRecord) *adminv1.Credential {
	now := s.options.Now()
	shown := &adminv1.Credential{
		Id: c.ID, Type: string(c.Kind), Label: c.Label, Enabled: &c.Enabled, Scopes: c.Scopes,
		ExpiresAt: stamp(c.ExpiresAt), Constraints: constraints(c.Constraints),
		Consumer: c.Consumer, Status: string(c.Status(now)), Prefix: c.Prefix, LastFour: c.LastFour,
		Replaces: c.Replaces, ReplacedBy: c.ReplacedBy,
		RevokedAt: stamp(c.RevokedAt), RevokedReason: c.RevokedReason, LastUsedAt: stamp(c.LastUsedAt),
		Warnings: warnings(c, now), Version: c.Version, CreatedAt: stamp(c.CreatedAt), UpdatedAt: stamp(c.UpdatedAt),
	}
	showReference(shown, c)
	return shown
}

// showReference shows by what a credential is found, in the fields of its kind.
// An API key's digest is no secret, but nobody needs it either.
func showReference(shown *adminv1.Credential, c *consumer.CredentialRecord) {
	value := c.Reference.Value
	switch c.Kind {
	case access.KindJWT:
		shown.Key, shown.Algorithm, shown.PublicKey = value, c.Algorithm, c.PublicKey
	case access.KindIssuer:
		shown.Issuer, shown.Value = c.Reference.Issuer, value
	case access.KindBasic:
		shown.Username = value
	case access.KindSignature:
		shown.KeyId, shown.Algorithms = value, c.Algorithms
	case access.KindClientCertificate:
		showName(shown, value)
	}
}

func showName(shown *adminv1.Credential, value string) {
	kind, name, _ := strings.Cut(value, ":")
	switch kind {
	case "uri":
		shown.UriSan = name
	case "dns":
		shown.DnsSan = name
	case "subject":
		shown.Subject = name
	case "sha256":
		shown.Sha256 = name
	}
}

// warnings tell of a credential that counts and will surprise somebody.
func warnings(c *consumer.CredentialRecord, now time.Time) []string {
	if status := c.Status(now); status != consumer.StatusActive && status != consumer.StatusRotating {
		return nil
	}
	var found []string
	if !c.ExpiresAt.IsZero() && c.ExpiresAt.Sub(now) < warnBefore {
		found = append(found, "ends within "+days(warnBefore))
	}
	last := c.LastUsedAt
	if last.IsZero() {
		last = c.CreatedAt
	}
	if !last.IsZero() && now.Sub(last) > warnUnused {
		found = append(found, "was not used for "+days(warnUnused))
	}
	return found
}

func days(d time.Duration) string { return fmt.Sprintf("%d days", d/(24*time.Hour)) }
