package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
)

// moduleText is a module as it was read.
type moduleText struct {
	name string // as modules name themselves in errors and archives
	file string // as named in problems
	text []byte
	// from is the bundle that it is from; nil for the directory.
	from *Bundle
}

// source names whose the module is, "" the directory's.
func (m *moduleText) source() string {
	if m.from == nil {
		return ""
	}
	return m.from.file("")
}

// content is all that a policy is made of: modules and data, from a directory
// or the embedded files, files of data and bundles. It is never changed.
type content struct {
	modules  []moduleText
	bundles  []*Bundle
	datasets []*dataset
	// data is what stands below data, of all documents.
	data ast.Object
	// descriptors are nil where there are none.
	descriptors *descriptors
	// files are those that were read beside the directory.
	files []string
	// revision names it all, and rules all but the further data.
	revision, rules string

	problems []Problem
	now      time.Time
	last     map[string]*dataset // what the last content has, by file
	bytes    int64
}

// readContent reads everything that the options name. Documents of last that
// did not change are used again.
func readContent(o Options, now time.Time) (*content, error) {
	c := &content{bundles: o.Bundles, now: now, last: o.Last.datasets()}
	if root := open(o); root != nil {
		c.readTree(root)
	}
	for _, files := range o.Data {
		c.readFiles(files)
	}
	for _, b := range o.Bundles {
		c.add(b)
	}
	if err := c.describe(o.Descriptors, o.Last); err != nil {
		c.refuse(*err)
	}
	c.last = nil
	c.checkOwners()
	if len(c.problems) > 0 {
		return nil, &Error{Problems: c.problems}
	}
	if err := c.merge(); err != nil {
		return nil, err
	}
	c.rules = o.Revision
	if c.rules == "" {
		c.rules = c.digest()
	}
	c.revision = c.withFurther(c.rules)
	return c, nil
}

func (c *content) refuse(p Problem) {
	if len(c.problems) < 20 {
		c.problems = append(c.problems, p)
	}
}

// readFiles reads files of data. One file may stand in several places.
func (c *content) readFiles(files DataFiles) {
	all, err := files.matches()
	if err != nil {
		c.refuse(problemIn(files.Pattern, err))
	}
	c.files = append(c.files, all...)
	for _, file := range all {
		if info, err := os.Stat(file); err == nil && !info.Mode().IsRegular() {
			c.refuse(Problem{File: file, Text: "this is no regular file"}) // opening it might never end
			continue
		}
		c.readDataset(func() (fs.File, error) { return os.Open(file) }, &dataset{name: file, at: files.At, further: true})
	}
}

func (c *content) readDataset(open func() (fs.File, error), next *dataset) {
	next.readAt = c.now
	d, err := readDataset(open, next, c.last[next.name], maxDataBytes-c.bytes)
	if err == nil {
		err = d.placed(c.last[next.name])
	}
	if err != nil {
		c.refuse(problemIn(next.name, err))
		return
	}
	c.bytes += d.info.Size()
	c.datasets = append(c.datasets, d)
}

// add takes in a bundle.
func (c *content) add(b *Bundle) {
	digest := b.digest
	if digest == ([sha256.Size]byte{}) {
		digest = b.contents()
	}
	for _, name := range slices.Sorted(maps.Keys(b.Modules)) {
		full := path.Join(b.Name, name)
		c.modules = append(c.modules, moduleText{name: full, file: b.file(name), text: b.Modules[name], from: b})
	}
	if b.Data != nil {
		c.datasets = append(c.datasets, &dataset{name: b.file(""), value: b.Data, digest: digest, further: b.Further()})
	}
}

// file is how a bundle's file is named in problems.
func (b *Bundle) file(name string) string {
	if b.Name == "" {
		return path.Join("bundle", name)
	}
	return path.Join("bundle "+b.Name, name)
}

// checkOwners holds bundles to roots of their own.
func (c *content) checkOwners() {
	for i, b := range c.bundles {
		for _, other := range c.bundles[:i] {
			c.checkRoots(other, b)
		}
	}
	first := map[string]string{}
	for _, m := range c.modules {
		if before, twice := first[m.name]; twice {
			c.refuse(Problem{File: m.file, Text: "a module of this name is in " + before + ", too"})
		}
		first[m.name] = m.file
	}
	for _, d := range c.datasets {
		c.checkIntruder(d)
	}
}

func (c *content) checkRoots(a, b *Bundle) {
	if a.Name == "" || b.Name == "" {
		return // that of a kept revision stands for a directory
	}
	for _, one := range a.Roots {
		for _, other := range b.Roots {
			if overlaps(one, other) {
				c.refuse(Problem{File: b.file(""), Text: "its root " + quoted(other) + " overlaps the root " + quoted(one) + " of " + a.file("")})
			}
		}
	}
}

func quoted(root string) string { return `"` + root + `"` }

// checkIntruder refuses data of others within the roots that bundles name.
func (c *content) checkIntruder(d *dataset) {
	part, ok := d.rooted()
	if !ok {
		c.refuse(Problem{File: d.name, Text: "document must be of type object"})
		return
	}
	for _, b := range c.bundles {
		for _, root := range b.Roots {
			if d.name != b.file("") && root != "" && reaches(part.value, segments(root)) {
				c.refuse(Problem{File: d.name, Text: "it defines data below " + quoted(root) + ", which is a root of " + b.file("")})
			}
		}
	}
}

// reaches reports whether data has a value at a path, or one that is no object
// on the way to it.
func reaches(value ast.Value, at []string) bool {
	for _, name := range at {
		object, isObject := value.(ast.Object)
		if !isObject {
			return true
		}
		term := object.Get(ast.StringTerm(name))
		if term == nil {
			return false
		}
		value = term.Value
	}
	return true
}

// merge puts all data together.
func (c *content) merge() error {
	data, err := mergeAll(nil, rootedAll(c.datasets))
	if err != nil {
		return err
	}
	c.data, _ = data.(ast.Object)
	return nil
}

// rootedAll are documents where they stand; all are objects by now.
func rootedAll(datasets []*dataset) []located {
	parts := make([]located, len(datasets))
	for i, d := range datasets {
		parts[i], _ = d.rooted()
	}
	return parts
}

// own is the data without the further.
func (c *content) own() (ast.Object, error) {
	data, err := mergeAll(nil, rootedAll(slices.DeleteFunc(slices.Clone(c.datasets), func(d *dataset) bool { return d.further })))
	if err != nil {
		return nil, err
	}
	object, _ := data.(ast.Object)
	return object, nil
}

// digest names the content without the further data: every module's bytes by
// name, and the bytes of every document by its place. Data is not written out
// for it.
func (c *content) digest() string {
	sum := sha256.New()
	for _, m := range c.modules {
		delimited(sum, []byte(m.name))
		delimited(sum, m.text)
	}
	for _, d := range c.datasets {
		if !d.further {
			d.digestInto(sum)
		}
	}
	delimited(sum, []byte(c.descriptors.name()))
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// withFurther names rules together with the further data; without any, they
// keep their name.
func (c *content) withFurther(rules string) string {
	sum, some := sha256.New(), false
	delimited(sum, []byte(rules))
	for _, d := range c.datasets {
		if d.further {
			some = true
			d.digestInto(sum)
		}
	}
	if !some {
		return rules
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

func (d *dataset) digestInto(sum io.Writer) {
	delimited(sum, []byte("data/"+strings.Join(d.at, "/")))
	delimited(sum, d.digest[:])
}

// programKey names what is compiled: the modules, whose they are, and how. What
// bundles own is in it, since a program is checked against that when it is made.
func (c *content) programKey(o Options) (key [sha256.Size]byte) {
	sum := sha256.New()
	for _, list := range [][]string{o.AllowedBuiltins, o.Entrypoints, {c.descriptors.name()}} {
		delimited(sum, []byte(strings.Join(list, "\n")))
	}
	for _, b := range c.bundles {
		delimited(sum, []byte(b.file("")))
		delimited(sum, []byte(strings.Join(b.Roots, "\n")))
	}
	for _, m := range c.modules {
		delimited(sum, []byte(m.source()))
		delimited(sum, []byte(m.name))
		delimited(sum, m.text)
	}
	sum.Sum(key[:0])
	return key
}

// explained turns OPA's errors into problems with the files as they are named
// outside.
func (c *content) explained(err error) *Error {
	e := nameRefused(explained("", err))
	for i := range e.Problems {
		for _, m := range c.modules {
			if m.name == e.Problems[i].File {
				e.Problems[i].File = m.file
			}
		}
	}
	return e
}

// holder is the document that has data at a path, for problems.
func (c *content) holder(at []string) string {
	for _, d := range c.datasets {
		if part, _ := d.rooted(); reaches(part.value, at) {
			return d.name
		}
	}
	return ""
}

// datasets are what a snapshot has read from files, by name; nil has none.
func (s *Snapshot) datasets() map[string]*dataset {
	all := map[string]*dataset{}
	if s == nil {
		return all
	}
	for _, d := range s.content.datasets {
		if d.info != nil {
			all[d.name] = d
		}
	}
	return all
}

// Files are the files of data that were read beside the directory, those that
// patterns match among them.
func (s *Snapshot) Files() []string { return slices.Clone(s.content.files) }
