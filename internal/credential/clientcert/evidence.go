package clientcert

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer/certname"
)

// maxNames is how many SANs of one kind are looked up; a certificate with more
// is refused.
const maxNames = 16

// evidence is what one source says about the client's certificate.
type evidence struct {
	source string
	// leaf is the certificate; nil where the source has names alone.
	leaf *x509.Certificate
	// issuers are further certificates that came with it.
	issuers []*x509.Certificate
	// names are references, the fingerprint first where it is known.
	names []string
}

// gather makes one evidence of all that a request shows. The sources have to
// agree; the first one that knows most speaks, and issuers are everyone's.
func gather(seen *shown) (*evidence, error) {
	var all []*evidence
	for _, read := range []func(*shown) (*evidence, error){ofConnection, ofFields, ofElement, ofPrincipal} {
		e, err := read(seen)
		if err != nil {
			return nil, err
		}
		if e != nil {
			all = append(all, e)
		}
	}
	first := all[0]
	for _, other := range all[1:] {
		if !first.agrees(other) {
			return nil, access.Invalid(first.source + " and " + other.source + " tell of different certificates")
		}
		first.issuers = append(first.issuers, other.issuers...)
	}
	return first, nil
}

// agrees compares fingerprints where both know theirs, and names otherwise.
// Who has nothing to compare does not agree.
func (e *evidence) agrees(other *evidence) bool {
	mine, theirs := e.fingerprint(), other.fingerprint()
	if mine != "" && theirs != "" {
		return mine == theirs
	}
	missing := func(name string) bool { return !slices.Contains(e.names, name) }
	return len(other.names) > 0 && !slices.ContainsFunc(other.names, missing)
}

func (e *evidence) fingerprint() string {
	if len(e.names) == 0 || !strings.HasPrefix(e.names[0], "sha256:") {
		return ""
	}
	return e.names[0]
}

func ofConnection(seen *shown) (*evidence, error) {
	if seen.certificate == "" {
		return nil, nil
	}
	chain, err := readPEM(seen.certificate)
	return ofChain("source.certificate", chain, err)
}

func ofFields(seen *shown) (*evidence, error) {
	if seen.cert == "" {
		return nil, nil
	}
	chain, err := readFields(seen.cert, seen.chain)
	return ofChain("header "+certHeader, chain, err)
}

// ofChain takes a chain that was read, the client's own certificate first.
func ofChain(source string, chain []*x509.Certificate, err error) (*evidence, error) {
	if err != nil {
		return nil, access.Invalid(source + " holds " + err.Error())
	}
	names, err := namesOf(chain[0])
	if err != nil {
		return nil, access.Invalid(source + ": " + err.Error())
	}
	return &evidence{source: source, leaf: chain[0], issuers: chain[1:], names: names}, nil
}

// ofElement takes the certificate where the element has it, and else the names.
func ofElement(seen *shown) (*evidence, error) {
	if seen.element == "" {
		return nil, nil
	}
	const source = "header " + forwardedHeader
	e, err := readElement(seen.element)
	if err != nil {
		return nil, access.Invalid(source + " holds " + err.Error())
	}
	if e.cert == "" && e.chain == "" {
		return e.names(source)
	}
	return e.certificate(source)
}

// certificate reads Cert, and Chain, which begins with the same certificate.
func (e *element) certificate(source string) (*evidence, error) {
	var chain []*x509.Certificate
	for _, text := range []string{e.chain, e.cert} {
		if text == "" {
			continue
		}
		certificates, err := readPEM(text)
		if err == nil && chain != nil && (len(certificates) > 1 || !certificates[0].Equal(chain[0])) {
			err = errors.New("a Cert that is not the first of its Chain")
		}
		if err != nil {
			return nil, access.Invalid(source + " holds " + err.Error())
		}
		if chain == nil {
			chain = certificates
		}
	}
	told, err := ofChain(source, chain, nil)
	if err != nil || e.hash == "" {
		return told, err
	}
	if hash, err := certname.Fingerprint(e.hash); err != nil || hash != told.fingerprint() {
		return nil, access.Invalid(source + " holds a Hash that is not of its Cert")
	}
	return told, nil
}

// names takes the proxy's word for them. A name in a form that no record can
// have is none, but for one that can't be shown.
func (e *element) names(source string) (*evidence, error) {
	if len(e.uris) > 1 {
		return nil, access.Invalid(source + " holds several URIs and no Cert that has them")
	}
	told := &evidence{source: source}
	if e.hash != "" {
		hash, err := certname.Fingerprint(e.hash)
		if err != nil {
			return nil, access.Invalid(source + ": " + err.Error())
		}
		told.names = append(told.names, hash)
	}
	err := told.add(certname.URI, e.uris...)
	err = errors.Join(err, told.add(certname.DNS, e.dns...))
	if e.subject != "" {
		err = errors.Join(err, told.add(certname.Subject, e.subject))
	}
	if err != nil {
		return nil, access.Invalid(source + ": " + err.Error())
	}
	if len(told.names) == 0 {
		return nil, access.Invalid(source + " holds neither a certificate nor a name")
	}
	return told, nil
}

// ofPrincipal takes a name for what its form says.
func ofPrincipal(seen *shown) (*evidence, error) {
	if seen.principal == "" {
		return nil, nil
	}
	told := &evidence{source: "source.principal"}
	form := certname.DNS
	if mark := strings.IndexAny(seen.principal, ":="); mark >= 0 {
		form = certname.URI
		if seen.principal[mark] == '=' {
			form = certname.Subject
		}
	}
	if err := told.add(form, seen.principal); err != nil {
		return nil, access.Invalid(told.source + ": " + err.Error())
	}
	return told, nil
}

// add adds the references of names, but for those whose form no record has.
func (e *evidence) add(form func(string) (string, error), names ...string) error {
	for _, name := range names {
		reference, err := form(name)
		if errors.Is(err, certname.ErrUnprintable) {
			return err
		}
		if err == nil {
			e.names = append(e.names, reference)
		}
	}
	return nil
}

// namesOf returns all names of a certificate, fingerprint first.
func namesOf(leaf *x509.Certificate) ([]string, error) {
	sum := sha256.Sum256(leaf.Raw)
	e := evidence{names: []string{"sha256:" + hex.EncodeToString(sum[:])}}
	uris, dns, err := alternatives(leaf)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(e.add(certname.URI, uris...), e.add(certname.DNS, dns...)); err != nil {
		return nil, err
	}
	subject, err := certname.SubjectDER(leaf.RawSubject)
	if err != nil {
		return nil, err
	}
	if subject != "" {
		e.names = append(e.names, subject)
	}
	return e.names, nil
}

// The extension of subjectAltName and its choices (RFC 5280 section 4.2.1.6).
const (
	choiceDNS = 2
	choiceURI = 6
)

// alternatives reads the SANs from their bytes: x509 keeps a URI only as it
// understood it.
func alternatives(leaf *x509.Certificate) (uris, dns []string, err error) {
	for _, extension := range leaf.Extensions {
		if !extension.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 17}) {
			continue
		}
		var names []asn1.RawValue
		if _, err := asn1.Unmarshal(extension.Value, &names); err != nil {
			return nil, nil, errors.New("the subject's alternative names are not well-formed")
		}
		for _, name := range names {
			switch {
			case name.Class != asn1.ClassContextSpecific:
			case name.Tag == choiceURI:
				uris = append(uris, string(name.Bytes))
			case name.Tag == choiceDNS:
				dns = append(dns, string(name.Bytes))
			}
		}
	}
	if len(uris) > maxNames || len(dns) > maxNames {
		return nil, nil, fmt.Errorf("more than %d alternative names of one kind", maxNames)
	}
	return uris, dns, nil
}
