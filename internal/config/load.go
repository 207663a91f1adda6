package config

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"path/filepath"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// Load reads and checks a configuration. The path "" means the defaults: the
// embedded policy, no consumers, no routes. env looks up the variables that the
// file refers to; nil knows none. The error is a strictyaml.Errors that has all
// problems.
//
// The file alone is read, what it refers to as `file:PATH`, and the authorities
// of client certificates, whose content is part of the revision; consumers,
// policies, key sets and a listener's certificates are for others to read.
func Load(path string, env func(string) (string, bool)) (*Config, error) {
	if path == "" {
		return parse("", []byte("{}"), env)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("the path of the configuration: %w", err)
	}
	data, err := strictyaml.ReadFile(path, strictyaml.MaxSize)
	if err != nil {
		return nil, strictyaml.Errors{{File: path, Text: err.Error()}}
	}
	return parse(path, data, env)
}

// parse makes a configuration from the text of the file at path.
func parse(path string, data []byte, env func(string) (string, bool)) (*Config, error) {
	written := defaults()
	doc, problems := strictyaml.Decode(path, data, &written)
	c := &checker{doc: doc, problems: problems, path: path, env: env, revision: sha256.New()}
	_, _ = c.revision.Write(data) // a hash never fails to write
	config := c.config(&written)
	if err := c.problems.Err(); err != nil {
		return nil, err
	}
	return config, nil
}

// checker turns what is written into what is meant, and notes every problem on
// the way.
type checker struct {
	doc      *strictyaml.Document
	problems strictyaml.Errors
	path     string
	env      func(string) (string, bool)
	files    []string
	revision hash.Hash
}

func (c *checker) config(d *document) *Config {
	if c.path != "" {
		c.files = append(c.files, c.path)
	}
	if c.doc.Has(introspectionField) && !c.doc.Has("authentication.order") {
		d.Authentication.Order = append(d.Authentication.Order, kind(access.KindIntrospection))
	}
	config := &Config{
		Listen:         c.listen(&d.Listen),
		Consumers:      c.consumers(&d.Consumers),
		Authentication: c.authentication(&d.Authentication, d.Consumers.Environments),
		Identity:       c.identity(&d.Identity, &d.Authentication),
		Assertion:      c.assertion(&d.Identity.Assertion),
		Cache:          c.cache(&d.Cache),
		Telemetry:      c.telemetry(&d.Telemetry),
	}
	config.Default = c.fallback(d)
	config.Routes = c.routes(d, config.Default)
	config.Policy = c.policy(&d.Policy, config)
	config.Files = c.files
	config.Revision = hex.EncodeToString(c.revision.Sum(nil)[:16])
	return config
}

// maxProblems bounds what is told at once.
const maxProblems = 1000

// refuse notes a problem of a field, unless a value has one already that says
// enough.
func (c *checker) refuse(field, format string, args ...any) {
	p := c.doc.Problem(field, format, args...)
	if len(c.problems) < maxProblems && !slices.ContainsFunc(c.problems, func(q strictyaml.Problem) bool { return q.Field == field && q.Line == p.Line && field != "" }) {
		c.problems = append(c.problems, p)
	}
}

// absolute resolves a path that is written relative to the file's folder.
func (c *checker) absolute(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(c.path), path)
}

// file resolves a path that must not be empty once it is written.
func (c *checker) file(field, path string) string {
	if path == "" && c.doc.Has(field) || strings.ContainsRune(path, 0) {
		c.refuse(field, "expected a path")
	}
	return c.absolute(path)
}

// resolve returns the value that stands in a field, or what it refers to:
// `env:NAME` or `file:PATH`. A reference that leads nowhere is a problem.
func (c *checker) resolve(field, text string) string {
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		return c.fromEnv(field, name)
	}
	if path, ok := strings.CutPrefix(text, "file:"); ok {
		return c.fromFile(field, c.absolute(path))
	}
	return text
}

func (c *checker) fromEnv(field, name string) string {
	if c.env != nil {
		if value, ok := c.env(name); ok && value != "" {
			c.note([]byte(value))
			return value
		}
	}
	c.refuse(field, "the environment variable that it refers to is not set")
	return ""
}

// maxReferred bounds a file that holds one value, in bytes.
const maxReferred = 64 << 10

func (c *checker) fromFile(field, path string) string {
	data, err := strictyaml.ReadFile(path, maxReferred)
	data = bytes.TrimRight(data, "\r\n")
	switch {
	case err != nil:
		c.refuse(field, "the file that it refers to %s", err)
	case len(data) == 0:
		c.refuse(field, "the file that it refers to is empty")
	default:
		c.files = append(c.files, path)
		c.note(data)
	}
	return string(data)
}

// note makes a value that was referred to part of the revision.
func (c *checker) note(value []byte) {
	digest := sha256.Sum256(value)
	_, _ = c.revision.Write(digest[:]) // a hash never fails to write
}
