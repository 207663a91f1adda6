package importer

import (
	"fmt"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/strictyaml"
)

// Format is a form that consumers are written in.
type Format string

// The formats. Auto tells the others apart by what is in a document.
const (
	Auto Format = "auto"
	// APISIXCRD are the Kubernetes objects of APISIX's ingress controller:
	// ApisixConsumer (apisix.apache.org/v2) and Consumer
	// (apisix.apache.org/v1alpha1), with the Secrets that they name.
	APISIXCRD Format = "apisix-crd"
	// APISIX is a standalone apisix.yaml or apisix.json, or an answer of APISIX's
	// Admin API.
	APISIX Format = "apisix"
	// ADC is the file of APISIX's declarative CLI.
	ADC Format = "adc"
	// Deck is Kong's declarative file of version 3.0, as decK writes it.
	Deck Format = "deck"
	// Postern is our own declarative format.
	Postern Format = "postern"
)

// Formats lists every format.
func Formats() []Format { return []Format{Auto, APISIXCRD, APISIX, ADC, Deck, Postern} }

// Source is a document to read.
type Source struct {
	// Name is what errors call it: a path, or "stdin".
	Name string
	Data []byte
}

// Options say what documents may refer to. What they leave out is not known,
// and a reference to it leads nowhere.
type Options struct {
	// Env looks up environment variables.
	Env func(name string) (string, bool)
	// Secrets looks up what a reference to a secret manager stands for:
	// "$secret://vault/1/alice/key" or "{vault://env/key}", as it is written.
	Secrets func(reference string) (string, bool)
	// ReadFile reads a file of at most limit bytes that our own format refers to.
	ReadFile func(path string, limit int64) ([]byte, error)
	// Environment is that of every consumer whose document names none.
	Environment string
	// Now is when the plan is made: what has ended by then does not come over.
	Now time.Time
}

// maxSources bounds the documents of one plan, maxProblems what is told of all
// of them together.
const (
	maxSources  = 4096
	maxProblems = 1000
)

// Read makes a plan of all documents together. The error is a
// strictyaml.Errors that names every problem with its file and line, or tells
// that there is no such format.
func Read(format Format, documents []Source, o Options) (*Plan, error) {
	if !slices.Contains(Formats(), format) {
		return nil, fmt.Errorf("%q is no format of consumers, expected one of %q", format, Formats())
	}
	r := newReader(o)
	if len(documents) > maxSources {
		return nil, strictyaml.Errors{{File: documents[maxSources].Name, Text: fmt.Sprintf("is one of %d documents; expected at most %d", len(documents), maxSources)}}
	}
	for _, doc := range r.parse(format, documents) {
		doc.format.read(r, doc)
	}
	r.finish()
	if err := r.problems.Err(); err != nil {
		return nil, err
	}
	return r.plan, nil
}
