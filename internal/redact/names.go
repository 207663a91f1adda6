package redact

import (
	"slices"
	"strings"
)

// A name is one of a credential where its letters hold one of secretParts or end
// in one of secretEnds, where one of its words is in secretWords, or where it is
// one of secretNames altogether. plainNames are none all the same.
var (
	secretParts = []string{
		"token", "secret", "passw", "passphrase", "passcode", "passkey", "credential", "signature", "authorization", "authorisation", "cookie",
		"certificate", "assertion", "jwt", "session", "sessid", "apikey", "saml", "csrf", "xsrf", "oauth", "bearer", "clientcert", "privatekey",
	}
	secretEnds  = []string{"key", "keys", "pass", "pwd", "auth", "otp", "hmac"}
	secretWords = []string{
		"auth", "authn", "cert", "certs", "cred", "creds", "csr", "cvc", "cvv", "dpop", "jwe", "jws", "key", "keys", "mfa", "nonce", "otp", "pass", "pem", "pin",
		"psk", "pwd", "refresh", "sess", "sid", "sig", "sign", "ticket", "tgt", "jsessionid", "xfcc",
	}
	secretNames = []string{"code", "authcode", "state", "verifier", "codeverifier", "hash", "pw", "st", "sso"}
	plainNames  = []string{"authtime", "authority"}
)

// Name reports whether what stands under a name may be a credential. The name
// of a header, a parameter, a claim and a member of a document are judged alike.
func Name(name string) bool {
	words := wordsOf(Decoded(name))
	joined := strings.Join(words, "")
	switch {
	case slices.Contains(plainNames, joined):
		return false
	case slices.Contains(secretNames, joined), slices.Contains(secretWords, joined), slices.ContainsFunc(words, isSecretWord):
		return true
	}
	return slices.ContainsFunc(secretParts, func(part string) bool { return strings.Contains(joined, part) })
}

func isSecretWord(word string) bool {
	return slices.Contains(secretWords, word) || slices.ContainsFunc(secretEnds, func(end string) bool { return strings.HasSuffix(word, end) })
}

// wordsOf cuts a name at what is no letter or digit, and before a capital that
// follows a small letter or ends a run of capitals. Words are lower case.
func wordsOf(name string) (words []string) {
	from := 0
	end := func(i int) {
		if i > from {
			words = append(words, strings.ToLower(name[from:i]))
		}
		from = i
	}
	for i := range len(name) {
		switch c := name[i]; {
		case !isLetter(c) && !isDigit(c) && c < 0x80:
			end(i)
			from = i + 1
		case isCapital(c) && i > from && (!isCapital(name[i-1]) || i+1 < len(name) && isLetter(name[i+1]) && !isCapital(name[i+1])):
			end(i)
		}
	}
	end(len(name))
	return words
}

func isDigit(c byte) bool   { return c >= '0' && c <= '9' }
func isCapital(c byte) bool { return c >= 'A' && c <= 'Z' }
func isLetter(c byte) bool  { return isCapital(c) || c >= 'a' && c <= 'z' }
