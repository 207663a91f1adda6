package config

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/policy"
)

// Policy says which policy decides.
type Policy struct {
	// Directory is absolute; empty: the embedded library, or Bundles alone where
	// there are some.
	Directory       string
	Timeout         time.Duration
	AllowedBuiltins []string
	// Entrypoints are all that routes name, the file's own first.
	Entrypoints []string
	// Named is the line that each of them is first named on, where one is.
	Named map[string]int
	// Lines are those of the fields that name files: policy.data[0].file and
	// policy.descriptors.
	Lines   map[string]int
	Data    []PolicyData
	Bundles []Bundle
	// StateDirectory is absolute; empty: nothing outlives the process.
	StateDirectory string
	// KeepRevisions is how many revisions there are to roll back to.
	KeepRevisions int
	// Shadow is nil where no candidate is asked, Journal where nothing is noted.
	Shadow  *Shadow
	Journal *Journal
	// DryRun lets through what policy denies.
	DryRun bool
	// Descriptors is the absolute path of a protobuf descriptor set; empty: none.
	Descriptors string
}

// PolicyData are files of data. Pattern is absolute; At is where their content
// stands below data, nil for the top.
type PolicyData struct {
	Pattern string
	At      []string
}

// Bundle is an OPA bundle, from URL or else from the absolute path File.
type Bundle struct {
	Name, URL, File string
	Token           access.Secret
	// CAFile is absolute; empty: the system's authorities.
	CAFile string
	Every  time.Duration
	// MaxSize is the bound of one unpacked file in bytes.
	MaxSize int64
	// Verification is nil where the bundle need not be signed.
	Verification *Verification
}

// Verification says how a bundle's signature is verified.
type Verification struct {
	Key                     access.Secret
	KeyID, Algorithm, Scope string
}

// Shadow is a candidate policy that is asked and decides nothing.
type Shadow struct {
	Directory string
	// Sample is the part of decisions that it is asked for, from 0 to 1.
	Sample float64
}

// Journal says where decisions are noted, with what policy saw.
type Journal struct {
	Directory   string
	MaxFileSize int64
	MaxFiles    int
	Sample      float64
	// Whole: all of the input is noted, not what the rules can read alone.
	Whole bool
	// Hash and Omit are fields of the input, cut at their dots.
	Hash, Omit [][]string
}

// policy gathers the entry points of all routes, the file's own first.
func (c *checker) policy(p *policyPart, config *Config) Policy {
	c.builtins("policy.allowed_builtins", p.AllowedBuiltins)
	entrypoints := []string{string(p.Entrypoint), config.Default.Entrypoint}
	fields := []string{"policy.entrypoint", "default.policy"}
	for i := range config.Routes {
		entrypoints = append(entrypoints, config.Routes[i].Entrypoint)
		fields = append(fields, at("routes", i)+".policy")
	}
	all := Policy{
		Named:           c.named(entrypoints, fields),
		Lines:           c.fileLines(p),
		Directory:       c.file("policy.directory", p.Directory),
		Timeout:         c.span("policy.timeout", p.Timeout, time.Millisecond, time.Minute),
		AllowedBuiltins: p.AllowedBuiltins,
		Entrypoints:     distinct(entrypoints),
		Data:            c.policyData(p.Data),
		Bundles:         c.bundles(p.Bundles),
		StateDirectory:  c.file("policy.state_directory", p.StateDirectory),
		KeepRevisions:   c.count("policy.keep_revisions", p.KeepRevisions, 1000),
		Shadow:          c.shadow(&p.Shadow),
		Journal:         c.journal(&p.Journal),
		DryRun:          p.DryRun,
		Descriptors:     c.file("policy.descriptors", p.Descriptors),
	}
	c.apart(&all)
	return all
}

// apart refuses folders that the process writes to in those that policy is read
// from: what is kept would be read as policy, or change it with each decision.
func (c *checker) apart(p *Policy) {
	sources := map[string]string{"policy.directory": p.Directory}
	if p.Shadow != nil {
		sources["policy.shadow.directory"] = p.Shadow.Directory
	}
	written := map[string]string{"policy.state_directory": p.StateDirectory}
	if p.Journal != nil {
		written["policy.journal.directory"] = p.Journal.Directory
	}
	for _, field := range slices.Sorted(maps.Keys(written)) {
		for _, source := range slices.Sorted(maps.Keys(sources)) {
			if within(written[field], sources[source]) {
				c.refuse(field, "stands in %s, from which policy is read; expected a folder beside it", source)
			}
		}
	}
}

// within reports whether a path is a folder or stands below it, also by its
// links where it is there already.
func within(path, folder string) bool {
	if path == "" || folder == "" {
		return false
	}
	for _, one := range []string{path, unlinked(path)} {
		for _, base := range []string{folder, unlinked(folder)} {
			if below, err := filepath.Rel(base, one); err == nil && filepath.IsLocal(below) {
				return true
			}
		}
	}
	return false
}

// unlinked follows the links of what is there of a path.
func unlinked(path string) string {
	if followed, err := filepath.EvalSymlinks(path); err == nil {
		return followed
	}
	if parent := filepath.Dir(path); parent != path {
		return filepath.Join(unlinked(parent), filepath.Base(path))
	}
	return path
}

// named are the lines of names that stand in fields.
func (c *checker) named(names, fields []string) map[string]int {
	lines := map[string]int{}
	for i, name := range names {
		if _, known := lines[name]; !known && c.doc.Has(fields[i]) {
			lines[name] = c.doc.Line(fields[i])
		}
	}
	return lines
}

// fileLines are the lines of the fields that name files of policy.
func (c *checker) fileLines(p *policyPart) map[string]int {
	fields := []string{"policy.descriptors"}
	for i := range p.Data {
		fields = append(fields, at("policy.data", i)+".file")
	}
	return c.named(fields, fields)
}

func (c *checker) builtins(field string, names []string) {
	c.each(field, names, builtinForm.MatchString, "a builtin's name, such as http.send")
	for i, name := range names {
		if builtinForm.MatchString(name) && !policy.HasBuiltin(name) {
			c.refuse(at(field, i), "OPA has no builtin %q", name)
		}
	}
}

// distinct keeps the first of each.
func distinct(list []string) []string {
	var kept []string
	for _, item := range list {
		if !slices.Contains(kept, item) {
			kept = append(kept, item)
		}
	}
	return kept
}

// dataPath is where data stands: names that a reference in Rego can have.
var dataPath = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*(/[A-Za-z_][A-Za-z0-9_-]*)*$`)

func (c *checker) policyData(list []dataPart) (all []PolicyData) {
	for i := range list {
		field := at("policy.data", i)
		pattern, err := c.pattern(list[i].File)
		if err != nil && c.doc.Has(field+".file") {
			c.refuse(field+".file", "expected a path or a pattern such as data/*.json")
		}
		data := PolicyData{Pattern: pattern}
		if c.doc.Has(field + ".at") {
			if !dataPath.MatchString(list[i].At) {
				c.refuse(field+".at", "expected names joined by /, such as bindings or directory/users")
			}
			data.At = strings.Split(list[i].At, "/")
		}
		all = append(all, data)
	}
	return all
}

// A bundle's defaults and bounds.
const (
	bundleEvery   = 30 * time.Second
	bundleSize    = 256 << 20
	maxBundleSize = 4 << 30
)

func (c *checker) bundles(list []bundlePart) (all []Bundle) {
	names := map[string]int{}
	for i := range list {
		field := at("policy.bundles", i)
		c.once(field+".name", names, list[i].Name)
		all = append(all, c.bundle(field, &list[i]))
	}
	return all
}

func (c *checker) bundle(field string, p *bundlePart) Bundle {
	if c.doc.Has(field+".name") && !issuerName.MatchString(p.Name) {
		c.refuse(field+".name", "%s", expectedName)
	}
	switch {
	case c.doc.Has(field+".url") == c.doc.Has(field+".file"):
		c.refuse(field, "expected one of url and file")
	case c.doc.Has(field + ".url"):
		c.reached(field+".url", p.URL, p.PlainHTTP, "fetches a policy over plain HTTP, where anybody in between can put in their own; expected https, or dangerously_fetch_over_plain_http: true beside it")
	}
	b := Bundle{
		Name: p.Name, URL: p.URL, File: c.file(field+".file", p.File), Token: c.secret(field+".token", p.Token),
		CAFile: c.file(field+".ca_file", p.CAFile), Every: bundleEvery, MaxSize: bundleSize,
		Verification: c.verification(field+".verification", &p.Verification),
	}
	if c.doc.Has(field + ".every") {
		b.Every = c.span(field+".every", p.Every, 100*time.Millisecond, 24*time.Hour)
	}
	if c.doc.Has(field + ".max_size") {
		if b.MaxSize = int64(p.MaxSize); b.MaxSize < 1 || b.MaxSize > maxBundleSize {
			c.refuse(field+".max_size", "expected up to 4GiB")
		}
	}
	return b
}

// bundleAlgorithm is what a bundle may be signed with (RFC 7518 section 3.1).
var bundleAlgorithm = regexp.MustCompile(`^(RS|PS|ES|HS)(256|384|512)$`)

func (c *checker) verification(field string, p *verificationPart) *Verification {
	if !c.doc.Has(field) {
		return nil
	}
	v := &Verification{Key: c.secret(field+".key", p.Key), KeyID: p.KeyID, Algorithm: "RS256", Scope: p.Scope}
	if c.doc.Has(field + ".algorithm") {
		if v.Algorithm = p.Algorithm; !bundleAlgorithm.MatchString(p.Algorithm) {
			c.refuse(field+".algorithm", "expected RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512, HS256, HS384 or HS512")
		}
	}
	return v
}

func (c *checker) shadow(p *shadowPart) *Shadow {
	if !c.doc.Has("policy.shadow") {
		return nil
	}
	return &Shadow{Directory: c.file("policy.shadow.directory", p.Directory), Sample: c.part("policy.shadow.sample", p.Sample)}
}

// part is a share of a whole.
func (c *checker) part(field string, share float64) float64 {
	if !(share >= 0 && share <= 1) {
		c.refuse(field, "expected a number from 0 to 1")
	}
	return share
}

// A journal's bounds.
const (
	leastJournalFile = 64 << 10
	mostJournalFile  = 4 << 30
	mostJournalFiles = 10_000
)

func (c *checker) journal(p *journalPart) *Journal {
	const field = "policy.journal"
	if !c.doc.Has(field) {
		return nil
	}
	if p.MaxFileSize < leastJournalFile || p.MaxFileSize > mostJournalFile {
		c.refuse(field+".max_file_size", "expected 64KiB to 4GiB")
	}
	return &Journal{
		Directory: c.file(field+".directory", p.Directory), MaxFileSize: int64(p.MaxFileSize),
		MaxFiles: c.count(field+".max_files", p.MaxFiles, mostJournalFiles),
		Sample:   c.part(field+".sample", p.Sample), Whole: p.Input == journalWhole,
		Hash: c.inputFields(field+".hash", p.Hash), Omit: c.inputFields(field+".omit", p.Omit),
	}
}

// inputField is a path in policy's input.
var inputField = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_:-]*(\.[A-Za-z0-9_:-]+)*$`)

func (c *checker) inputFields(field string, list []string) (paths [][]string) {
	c.each(field, list, inputField.MatchString, "names joined by dots, such as consumer.name")
	for i, text := range list {
		path := strings.Split(text, ".")
		if inputField.MatchString(text) && !policy.HasInput(path) {
			c.refuse(at(field, i), "policy's input has no field %s", text)
		}
		paths = append(paths, path)
	}
	return paths
}
