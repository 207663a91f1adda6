package config

import (
	"errors"
	"regexp"
	"strconv"
	"time"

	"github.com/postern-authz/postern/internal/strictyaml"
)

type storePart struct {
	Driver driver  `yaml:"driver,required" doc:"sqlite: a file, for one machine. postgres: a server, for many instances."`
	DSN    string  `yaml:"dsn,required" doc:"sqlite: the file's path, relative to this file; or env:NAME, file:PATH. postgres: env:NAME or file:PATH of a connection URL."`
	Pepper peppers `yaml:"pepper" doc:"env:NAME or file:PATH of a secret of at least 32 bytes that protects what is stored; a list begins with the newest. Left out: one is made and kept beside what it protects."`
}

type keysPart struct {
	Prefix         string `yaml:"prefix" doc:"What keys that are made here begin with."`
	Grace          days   `yaml:"grace" doc:"How long a key still counts after it was rotated, where the rotation says nothing else; such as 12h or 30d."`
	MaxCredentials int    `yaml:"max_credentials" doc:"How many credentials a consumer may have that are neither revoked nor expired."`
}

type adminTokenPart struct {
	Name  string `yaml:"name,required" doc:"The author of its changes in the audit records."`
	Role  role   `yaml:"role,required" doc:"viewer reads; editor changes consumers and keys; admin does all."`
	Token string `yaml:"token,required" doc:"env:NAME or file:PATH."`
}

// peppers are one reference, or a list.
type peppers struct {
	One  string
	List []string
}

// Shape implements strictyaml.Shaped.
func (p *peppers) Shape(k strictyaml.Kind) any {
	switch k {
	case strictyaml.Scalar:
		return &p.One
	case strictyaml.List:
		return &p.List
	default:
		return nil
	}
}

// Expected implements strictyaml.Shaped.
func (*peppers) Expected() string { return "env:NAME or file:PATH, or a list of them" }

// days is a duration that may also be written in days of 24 hours.
type days strictyaml.Duration

const daysForm = `^[0-9]{1,5}d$`

var daysPattern = regexp.MustCompile(daysForm)

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *days) UnmarshalText(text []byte) error {
	if daysPattern.Match(text) {
		number, _ := strconv.Atoi(string(text[:len(text)-1])) // five digits
		*d = days(time.Duration(number) * 24 * time.Hour)
		return nil
	}
	if (*strictyaml.Duration)(d).UnmarshalText(text) != nil {
		return errors.New("expected a duration with its unit, such as 12h or 30d")
	}
	return nil
}
