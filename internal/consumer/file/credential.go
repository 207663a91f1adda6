package file

import (
	"encoding/json"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// credential checks one credential and adds it to the snapshot.
func (s source) credential(owner *access.Consumer, c *credential) {
	s.at("id").name(c.ID, "credential")
	declared, unread := s.resolved(c)
	proof, problems := declared.Read(rules.Written{Issuers: s.Issuers, Has: s.has, Unread: unread, Files: true})
	s.refuseAll(problems)
	found := &consumer.Found{
		Consumer: owner, Credential: &proof.Credential,
		Algorithm: proof.Algorithm, Algorithms: proof.Algorithms,
		Secret: proof.Secret, PublicKey: proof.PublicKey, Password: proof.Password,
	}
	s.password(c, proof, found)
	if proof.Reference.Value != "" && s.unique(proof.Reference) {
		s.snapshot.found[proof.Reference] = found
	}
}

// resolved is the credential in the words of the rules, with the values that it
// refers to. The fields whose value could not be had are unread; their problem
// is noted.
func (s source) resolved(c *credential) (declared *rules.Credential, unread []string) {
	secret := func(field, text string) access.Secret {
		value, ok := s.at(field).resolve(text)
		if !ok {
			unread = append(unread, field)
		}
		return access.NewSecret(value)
	}
	declared = &rules.Credential{
		ID: c.ID, Kind: access.Kind(c.Type), Enabled: s.enabled(c.Enabled), Scopes: c.Scopes,
		ExpiresAt: c.ExpiresAt, Constraints: s.constraints(&c.Constraints),
		Key: access.NewSecret(c.Key), KeySHA256: c.KeySHA256, Algorithm: c.Algorithm,
		Secret: secret("secret", c.Secret), Password: secret("password", c.Password), PasswordHash: secret("password_hash", c.PasswordHash),
		Issuer: c.Issuer, Value: c.Value, Username: c.Username, KeyID: c.KeyID, Algorithms: c.Algorithms,
		URISAN: c.URISAN, DNSSAN: c.DNSSAN, Subject: c.Subject, SHA256: c.SHA256,
	}
	if declared.Kind == access.KindAPIKey { // a JWT's key is a name
		declared.Key = secret("key", c.Key)
	}
	text, field := s.publicKeyText(c)
	if declared.PublicKey = text; field != "" {
		unread = append(unread, field)
	}
	return declared, unread
}

// publicKeyText is the public key as PEM or JSON, or the field that could not
// be read.
func (s source) publicKeyText(c *credential) (text, unread string) {
	switch {
	case s.has("public_key_file") && !s.has("secret"): // with a secret it is refused unread
		data, err := s.read(s.beside(c.PublicKeyFile), maxSecretFile)
		if err != nil {
			s.at("public_key_file").problem("the file %s", err)
			return "", "public_key_file"
		}
		return string(data), ""
	case c.PublicKey.JWK != nil:
		data, err := json.Marshal(c.PublicKey.JWK)
		if err != nil {
			s.at("public_key").problem("is not a JWK")
			return "", "public_key"
		}
		return string(data), ""
	}
	return c.PublicKey.Text, ""
}

// unique takes what finds a credential, which is one in all files. Usernames
// that differ in case alone would be one to somebody, so they are refused too.
func (s source) unique(ref consumer.Reference) bool {
	var field, what string
	value := ref.Value
	switch ref.Kind {
	case access.KindAPIKey:
		field, what = s.written("key", "key_sha256"), "the same key"
	case access.KindJWT:
		field, what = "key", "the same jwt key"
	case access.KindBasic:
		field, what, value = "username", "the same username", strings.ToLower(value)
	case access.KindSignature:
		field, what = "key_id", "the same key id"
	case access.KindClientCertificate:
		field, what = s.written("uri_san", "dns_san", "subject", "sha256"), "the same certificate name"
	default:
		field, what, value = "value", "the same value of the same issuer", ref.Issuer+"\x00"+value
	}
	return s.at(field).take(string(ref.Kind)+"\x00"+value, what)
}

// written is the first of the fields that was written.
func (s source) written(fields ...string) string {
	for _, field := range fields {
		if s.has(field) {
			return field
		}
	}
	return ""
}
