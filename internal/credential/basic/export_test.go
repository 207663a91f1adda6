package basic

// Name is how the verifier names a pair.
func (v *Verifier) Name(scope, username, password string) [32]byte {
	return v.name(scope, []byte(username), []byte(password))
}

// MaxEncoded is the length of the longest value that is decoded.
const MaxEncoded = maxEncoded
