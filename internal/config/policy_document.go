package config

import "github.com/postern-authz/postern/internal/strictyaml"

type policyPart struct {
	Directory       string              `yaml:"directory" doc:"A folder of Rego modules and data, relative to this file; left out: the embedded library, or the bundles alone where there are some."`
	Entrypoint      entrypoint          `yaml:"entrypoint" doc:"The rule that decides, where a route names no other."`
	Timeout         strictyaml.Duration `yaml:"timeout" doc:"How long one decision may take."`
	AllowedBuiltins []string            `yaml:"allowed_builtins" doc:"Builtins that reach out or are random, by name; all others of that kind are refused."`

	Data           []dataPart   `yaml:"data" doc:"Further data, from JSON and YAML files; watched."`
	Bundles        []bundlePart `yaml:"bundles" doc:"OPA bundles, which are fetched and kept up to date."`
	StateDirectory string       `yaml:"state_directory" doc:"A folder, relative to this file, for what outlives a restart: fetched bundles, the last revisions and which of them is promoted. Left out: nothing does."`
	KeepRevisions  int          `yaml:"keep_revisions" doc:"How many of the last revisions are kept, to roll back to."`
	Shadow         shadowPart   `yaml:"shadow" doc:"A candidate that is asked beside the policy in force, and decides nothing; left out: none."`
	Journal        journalPart  `yaml:"journal" doc:"Files of decisions with what policy saw, to replay; left out: none."`
	DryRun         bool         `yaml:"dry_run" doc:"Lets through what policy denies, and says so in the log and a metric. Credentials are proven all the same."`
	Descriptors    string       `yaml:"descriptors" doc:"A protobuf descriptor set (protoc -o FILE --include_imports), relative to this file, so that parsed_body tells of gRPC messages; left out: it is null for them."`
}

type dataPart struct {
	File string `yaml:"file,required" doc:"A path or a pattern, relative to this file."`
	At   string `yaml:"at" doc:"Where the content stands below data, such as bindings or directory/users; left out: at the top."`
}

type bundlePart struct {
	Name         string              `yaml:"name,required" doc:"The bundle's name in logs, readiness and metrics."`
	URL          string              `yaml:"url" doc:"Where it is fetched, with ETag."`
	File         string              `yaml:"file" doc:"In place of url: a bundle's archive or folder, relative to this file."`
	PlainHTTP    bool                `yaml:"dangerously_fetch_over_plain_http" doc:"Accepts a bundle over plain HTTP from another machine: unless it is signed, whoever is in between decides."`
	Token        string              `yaml:"token" doc:"env:NAME or file:PATH of a bearer token for the server; left out: none."`
	CAFile       string              `yaml:"ca_file" doc:"Authorities in PEM for the server's certificate, relative to this file; left out: the system's."`
	Every        strictyaml.Duration `yaml:"every" doc:"How often it is asked for; left out: 30s."`
	MaxSize      strictyaml.Size     `yaml:"max_size" doc:"How large any of its files may be, unpacked; left out: 256MiB."`
	Verification verificationPart    `yaml:"verification" doc:"How its signature is verified; left out: it need not be signed."`
}

type verificationPart struct {
	Key       string `yaml:"key,required" doc:"env:NAME or file:PATH of the public key in PEM, or of the secret for HS256, HS384 and HS512."`
	KeyID     string `yaml:"key_id" doc:"What keyid or kid must be in the signature; left out: anything may, or nothing."`
	Algorithm string `yaml:"algorithm" doc:"The only one believed; left out: RS256."`
	Scope     string `yaml:"scope" doc:"What scope must be in the signature; left out: it must have none."`
}

type shadowPart struct {
	Directory string  `yaml:"directory,required" doc:"The candidate's modules and data, relative to this file; watched."`
	Sample    float64 `yaml:"sample" doc:"The part of decisions that it is asked for too, from 0 to 1."`
}

type journalPart struct {
	Directory   string          `yaml:"directory,required" doc:"The folder of its files, relative to this file."`
	MaxFileSize strictyaml.Size `yaml:"max_file_size" doc:"When a file has this size, the next is begun."`
	MaxFiles    int             `yaml:"max_files" doc:"How many files are kept; the oldest goes."`
	Sample      float64         `yaml:"sample" doc:"The part of decisions that is noted, from 0 to 1."`
	Input       journalInput    `yaml:"input" doc:"whole: all that policy may see, but bodies; read: what the rules in force can read of it."`
	Hash        []string        `yaml:"hash" doc:"Fields of the input whose value is replaced by a keyed digest, such as consumer.name or attributes.request.http.headers.x-user."`
	Omit        []string        `yaml:"omit" doc:"Fields of the input that are left out. Headers that hold credentials always are."`
}

// journalInput is how much of the input a journal has.
type journalInput string

const (
	journalWhole journalInput = "whole"
	journalRead  journalInput = "read"
)

func (journalInput) words() []string { return []string{string(journalWhole), string(journalRead)} }

// UnmarshalText implements encoding.TextUnmarshaler.
func (j *journalInput) UnmarshalText(text []byte) error { return oneOf(j, text) }
