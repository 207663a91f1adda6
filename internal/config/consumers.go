package config

import (
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// Consumers says where consumers are declared and kept.
type Consumers struct {
	// Files are absolute paths and globs.
	Files []string
	// Environments whose consumers are believed; none: all.
	Environments []string
	// Store is nil where consumers are in files alone.
	Store *Store
	// MaxStaleness is the file's own; routes have theirs filled in.
	MaxStaleness time.Duration
	Keys         Keys
}

// Store is the database that consumers are kept in. None of it is reloaded.
type Store struct {
	// Driver is "sqlite" or "postgres".
	Driver string
	// DSN is SQLite's file, as an absolute path, or PostgreSQL's connection.
	DSN access.Secret
	// Peppers are the newest first; none: the store makes its own.
	Peppers []access.Secret
}

// Keys says how keys are made and how long they live.
type Keys struct {
	Prefix string
	// Grace is how long a rotated key still counts.
	Grace time.Duration
	// MaxCredentials bounds the credentials of one consumer that count.
	MaxCredentials int
}

func (c *checker) consumers(p *consumersPart) Consumers {
	var files []string
	for i, pattern := range p.Files {
		path, err := c.pattern(pattern)
		if err != nil {
			c.refuse("consumers.files["+strconv.Itoa(i)+"]", "%s", err)
		}
		files = append(files, path)
	}
	c.filled("consumers.environments", p.Environments, environmentForm.MatchString, expectedEnvironment)
	return Consumers{
		Files: files, Environments: p.Environments, Store: c.store(&p.Store), Keys: c.keys(&p.Keys),
		MaxStaleness: c.staleness("consumers.max_staleness", p.MaxStaleness, 0),
	}
}

// pattern resolves a path or glob. The folder of this file becomes a part of
// it, so it can't hold what a glob would read.
func (c *checker) pattern(text string) (string, error) {
	if _, err := filepath.Match(text, ""); err != nil || text == "" {
		return "", errors.New("expected a path or a pattern such as consumers/*.yaml")
	}
	if !filepath.IsAbs(text) && strings.ContainsAny(filepath.Dir(c.path), `*?[\`) {
		return "", errors.New("is relative to a folder whose name reads as a pattern; write the whole path")
	}
	return c.absolute(text), nil
}

// environments are those of a field, or else those around it. One that the whole
// instance does not believe is refused: nobody of it would pass.
func (c *checker) environments(field string, list, believed, around []string) []string {
	if !c.doc.Has(field) {
		return around
	}
	c.filled(field, list, environmentForm.MatchString, expectedEnvironment)
	for i, name := range list[:min(len(list), maxItems)] {
		if len(believed) > 0 && !slices.Contains(believed, name) {
			c.refuse(at(field, i), "is not in consumers.environments")
		}
	}
	return list
}
