package rules

func (r *reader) jwt(c *Credential, p *Proof) {
	if key := string(c.Key.Reveal()); r.claim("key", key) {
		if ForeignReference(key) {
			r.refuse("key", "is a name and no secret; expected the value of the claim itself")
		} else {
			p.Reference.Value = key
		}
	}
	alg, ok := algorithms[c.Algorithm]
	switch {
	case !r.has("algorithm"):
		r.lacks("algorithm")
		return
	case !ok:
		r.refuse("algorithm", "expected HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 or EdDSA")
		return
	}
	p.Algorithm = c.Algorithm
	if alg.minSecret > 0 {
		r.jwtSecret(c, p, alg.minSecret)
	} else {
		r.publicKey(c, p)
	}
}

func (r *reader) jwtSecret(c *Credential, p *Proof, least int) {
	if !r.has("secret") || r.has("public_key") || r.has("public_key_file") {
		r.refuse("", "%s is verified with a secret; expected secret and no public key", c.Algorithm)
		return
	}
	r.strong(c, p, c.Algorithm, least)
}

// strong reads a secret that is long enough for its use.
func (r *reader) strong(c *Credential, p *Proof, use string, least int) {
	value := string(c.Secret.Reveal())
	switch {
	case !r.readable("secret") || !r.resolved("secret", value):
	case len(value) < least:
		r.refuse("secret", "is too short for %s; expected at least %d bytes", use, least)
		r.problems[len(r.problems)-1].Weak = true
	case len(value) > maxSecret:
		r.refuse("secret", "is longer than %d bytes", maxSecret)
	default:
		p.Secret = c.Secret
	}
}

func (r *reader) publicKey(c *Credential, p *Proof) {
	expected := "public_key"
	if r.Files {
		expected = "one of public_key and public_key_file"
	}
	inPlace, inFile := r.has("public_key"), r.has("public_key_file")
	if r.has("secret") || inPlace == inFile {
		r.refuse("", "%s is verified with a public key; expected %s, and no secret", c.Algorithm, expected)
		return
	}
	field := "public_key"
	if inFile {
		field = "public_key_file"
	}
	if !r.readable(field) {
		return
	}
	var err error
	if p.PublicKey, err = PublicKey(c.PublicKey, c.Algorithm); err != nil {
		r.refuse(field, "%s", err)
	}
}
