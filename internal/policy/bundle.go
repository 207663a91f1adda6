package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/loader/filter"
)

// Bundle is an OPA bundle: modules and data under roots that are its own.
type Bundle struct {
	// Name stands before its modules' names; empty: they keep theirs.
	Name string
	// Revision is what its manifest says.
	Revision string
	// Roots are the paths below data that no other source may define anything
	// in, such as "shop/orders"; a bundle whose only root is "" claims only what
	// it has.
	Roots []string
	// Modules are texts by path, without a leading slash.
	Modules map[string][]byte
	// Data is what stands below data; nil is none. It is never changed.
	Data ast.Value

	// digest is of its contents; zero for one that was not read.
	digest [sha256.Size]byte
}

// BundleOptions say what is believed of a bundle.
type BundleOptions struct {
	// Verification says how it must be signed; nil: it need not be, and a
	// signature in it is not looked at.
	Verification *bundle.VerificationConfig
	// MaxFileSize bounds each of its files in bytes, unpacked; 0 is 256 MiB. All
	// together may have four times as much.
	MaxFileSize int64
}

// defaultBundleFile is the bound of a bundle's file where none is named.
const defaultBundleFile = 256 << 20

// ReadBundle reads and verifies an OPA bundle (.tar.gz). Delta bundles and
// WebAssembly are refused.
func ReadBundle(name string, r io.Reader, o BundleOptions) (*Bundle, error) {
	if o.MaxFileSize == 0 {
		o.MaxFileSize = defaultBundleFile
	}
	files, err := unpack(r, o.MaxFileSize)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", name, err)
	}
	b, err := readBundle(name, files, o)
	if err != nil {
		return nil, fmt.Errorf("bundle %s: %w", name, err)
	}
	return b, nil
}

// unpack reads an archive's files within bounds.
func unpack(r io.Reader, most int64) (*unpacked, error) {
	zipped, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("this is no .tar.gz: %w", err)
	}
	left := io.LimitReader(zipped, 4*most+maxFiles*4096) // with headers
	archive, all, total := tar.NewReader(left), &unpacked{files: map[string][]byte{}}, int64(0)
	for {
		header, err := archive.Next()
		switch {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("the archive can't be read: %w", err)
		case header.Typeflag != tar.TypeReg:
			continue
		}
		name := path.Join("/", header.Name) //nolint:gosec // nothing is written under it
		if total += header.Size; header.Size > most || total > 4*most {
			return nil, fmt.Errorf("%s: larger than is allowed", name)
		}
		if _, twice := all.files[name]; twice || len(all.files) == maxFiles {
			return nil, fmt.Errorf("%s: stands in the archive twice, or is one too many", name)
		}
		content, err := readAtMost(archive, header.Size, most)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all.add(name, content)
	}
}

// unpacked are a bundle's files. It is what OPA's reader reads from.
type unpacked struct {
	files map[string][]byte
	names []string
	next  int
}

func (u *unpacked) add(name string, content []byte) {
	u.files[name] = content
	u.names = append(u.names, name)
}

// NextFile implements bundle.DirectoryLoader.
func (u *unpacked) NextFile() (*bundle.Descriptor, error) {
	if u.next == len(u.names) {
		return nil, io.EOF
	}
	name := u.names[u.next]
	u.next++
	return bundle.NewDescriptor(name, name, bytes.NewBuffer(u.files[name])), nil
}

func (u *unpacked) WithFilter(filter.LoaderFilter) bundle.DirectoryLoader   { return u }
func (u *unpacked) WithPathFormat(bundle.PathFormat) bundle.DirectoryLoader { return u }
func (u *unpacked) WithSizeLimitBytes(int64) bundle.DirectoryLoader         { return u }
func (u *unpacked) WithFollowSymlinks(bool) bundle.DirectoryLoader          { return u }

// readBundle has OPA check signatures and manifest. Its lazy mode leaves the
// data unread, so that it is read without a detour.
func readBundle(name string, files *unpacked, o BundleOptions) (*Bundle, error) {
	reader := bundle.NewCustomReader(files).WithLazyLoadingMode(true).WithSizeLimitBytes(o.MaxFileSize + 1).
		WithBundleVerificationConfig(o.Verification).WithSkipBundleVerification(o.Verification == nil)
	read, err := reader.Read()
	switch {
	case err != nil:
		return nil, files.named(err, o)
	case read.Type() == bundle.DeltaBundleType:
		return nil, errors.New("it is a delta bundle, and those are not taken; expected a whole one")
	case len(read.WasmModules) > 0 || len(read.PlanModules) > 0:
		return nil, errors.New("it holds compiled rules; expected them in Rego")
	}
	b := &Bundle{Name: name, Revision: read.Manifest.Revision, Roots: *read.Manifest.Roots, Modules: map[string][]byte{}}
	for i := range read.Modules {
		if module := strings.TrimPrefix(read.Modules[i].RelativePath, "/"); isModule(module) {
			b.Modules[module] = read.Modules[i].Raw
		}
	}
	if err := b.readData(read.Raw); err != nil {
		return nil, err
	}
	b.digest = b.contents()
	if err := b.withinRoots(); err != nil {
		return nil, err
	}
	return b, nil
}

// named puts both scopes into what OPA says of a signature that is for another
// one; the signature itself is good then.
func (u *unpacked) named(err error, o BundleOptions) error {
	if o.Verification == nil || err.Error() != "scope mismatch" {
		return err
	}
	var signatures bundle.SignaturesConfig
	if json.Unmarshal(u.files["/.signatures.json"], &signatures) != nil || len(signatures.Signatures) == 0 {
		return err
	}
	parts := strings.Split(signatures.Signatures[0], ".")
	var signed bundle.DecodedSignature
	payload, wrong := base64.RawURLEncoding.DecodeString(parts[min(1, len(parts)-1)])
	if wrong != nil || json.Unmarshal(payload, &signed) != nil {
		return err
	}
	return fmt.Errorf("it is signed for the scope %.80q; expected %.80q", signed.Scope, o.Verification.Scope)
}

// isModule leaves out tests, as they are in a directory.
func isModule(name string) bool { return !strings.HasSuffix(name, "_test.rego") }

func (b *Bundle) readData(raw []bundle.Raw) error {
	var parts []located
	for i := range raw {
		file := strings.TrimPrefix(raw[i].Path, "/")
		if strings.HasSuffix(file, ".rego") {
			continue
		}
		d := &dataset{name: file, at: below(path.Dir(file))}
		var err error
		if d.value, err = readData(file, raw[i].Value); err == nil {
			err = d.placed(nil)
		}
		if err != nil {
			return &Error{Problems: []Problem{problemIn(file, err)}}
		}
		part, ok := d.rooted()
		if !ok {
			return fmt.Errorf("%s: expected an object", file)
		}
		parts = append(parts, part)
	}
	data, err := mergeAll(nil, parts)
	if err != nil {
		return err
	}
	b.Data = data
	return nil
}

// below are the names of a folder, none for the top.
func below(folder string) []string {
	if folder == "." || folder == "" {
		return nil
	}
	return strings.Split(folder, "/")
}

// contents digests what the bundle holds.
func (b *Bundle) contents() (digest [sha256.Size]byte) {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(b.Modules)) {
		delimited(sum, []byte(name))
		delimited(sum, b.Modules[name])
	}
	if b.Data != nil {
		_ = writeJSON(sum, b.Data) // a hash never fails
	}
	sum.Sum(digest[:0])
	return digest
}

// withinRoots holds the data to the roots; OPA holds the modules to them.
func (b *Bundle) withinRoots() error {
	object, _ := b.Data.(ast.Object)
	if object == nil {
		return nil
	}
	if outside := outsideOf(b.Roots, nil, object); outside != nil {
		return fmt.Errorf("its data has %s, which is in none of its roots", strings.Join(outside, "/"))
	}
	return nil
}

// outsideOf is the first path of data that no root holds.
func outsideOf(roots, at []string, object ast.Object) (outside []string) {
	object.Until(func(key, value *ast.Term) bool {
		name, _ := key.Value.(ast.String)
		here := append(slices.Clip(at), string(name))
		if slices.ContainsFunc(roots, func(root string) bool { return holds(root, here) }) {
			return false
		}
		inner, isObject := value.Value.(ast.Object)
		above := slices.ContainsFunc(roots, func(root string) bool {
			return slices.Equal(here, segments(root)[:min(len(here), len(segments(root)))])
		})
		if isObject && above {
			outside = outsideOf(roots, here, inner)
		} else {
			outside = here
		}
		return outside != nil
	})
	return outside
}

func segments(root string) []string { return below(strings.Trim(root, "/")) }

// holds reports whether a path stands at a root or below it.
func holds(root string, at []string) bool {
	s := segments(root)
	return len(s) <= len(at) && slices.Equal(s, at[:len(s)])
}

// overlaps reports whether one of two roots holds the other.
func overlaps(a, b string) bool { return holds(a, segments(b)) || holds(b, segments(a)) }

// Further reports that the bundle holds data alone, which may change without the
// rules.
func (b *Bundle) Further() bool { return len(b.Modules) == 0 && b.Name != "" }

// WriteBundle writes modules and data as an OPA bundle (.tar.gz), with the
// revision in its manifest. Read back under no name, it is the same policy with
// the same names of files.
func (s *Snapshot) WriteBundle(w io.Writer) error {
	return s.write(w, s.revision, s.content.data)
}

// WriteRules writes what Rules names, likewise.
func (s *Snapshot) WriteRules(w io.Writer) error {
	own, err := s.content.own()
	if err != nil {
		return err
	}
	return s.write(w, s.Rules(), own)
}

func (s *Snapshot) write(w io.Writer, revision string, data ast.Object) error {
	b := bundle.Bundle{Manifest: bundle.Manifest{Revision: revision}, Data: map[string]any{}}
	b.Manifest.SetRegoVersion(ast.RegoV1)
	for _, m := range s.content.modules {
		b.Modules = append(b.Modules, bundle.ModuleFile{URL: m.name, Path: m.name, Raw: m.text})
	}
	data.Foreach(func(key, value *ast.Term) {
		if name, isText := key.Value.(ast.String); isText {
			b.Data[string(name)] = asJSON{value.Value}
		}
	})
	return bundle.NewWriter(w).UseModulePath(true).DisableFormat(true).Write(b)
}
