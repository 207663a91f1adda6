package cli

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// consumerFlags are what may be said of a consumer.
type consumerFlags struct {
	displayName, environment, plan, attributes string
	labels, groups, roles                      []string
	constraintFlags
}

// consumerFields are the fields of the API that the flags write.
var consumerFields = []flagField{
	{"display-name", "display_name"},
	{"environment", "environment"},
	{"plan", "plan"},
	{"attributes", "attributes"},
	{"label", "labels"},
	{"group", "groups"},
	{"role", "roles"},
	{"address", "constraints"},
	{"method", "constraints"},
}

func (f *consumerFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.displayName, "display-name", "", "a name for people")
	flags.StringVar(&f.environment, "environment", "", "the environment of its credentials, such as prod")
	flags.StringVar(&f.plan, "plan", "", "the plan that it is on")
	flags.StringVar(&f.attributes, "attributes", "", "a JSON `object` for policies")
	flags.StringArrayVar(&f.labels, "label", nil, "label `NAME=VALUE`; may be repeated")
	flags.StringArrayVar(&f.groups, "group", nil, "group that it is in; may be repeated")
	flags.StringArrayVar(&f.roles, "role", nil, "role that it has; may be repeated")
	f.constraintFlags.bind(cmd)
}

func (f *consumerFlags) consumer(name string) (*adminv1.Consumer, error) {
	labels, err := readPairs("label", f.labels)
	if err != nil {
		return nil, err
	}
	attributes, err := readAttributes(f.attributes)
	if err != nil {
		return nil, err
	}
	return &adminv1.Consumer{
		Name: name, DisplayName: f.displayName, Environment: f.environment, Plan: f.plan,
		Labels: labels, Groups: given(f.groups), Roles: given(f.roles), Attributes: attributes, Constraints: f.constraints(nil),
	}, nil
}

// readPairs reads flags of the form NAME=VALUE.
func readPairs(flag string, list []string) (map[string]string, error) {
	m := make(map[string]string, len(list))
	for _, item := range given(list) {
		name, value, ok := strings.Cut(item, "=")
		if _, twice := m[name]; !ok || twice {
			return nil, unasked(fmt.Errorf("--%s %q: expected NAME=VALUE, each name once", flag, item))
		}
		m[name] = value
	}
	return m, nil
}

func readAttributes(document string) (*structpb.Struct, error) {
	if document == "" {
		return nil, nil
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(document), &values); err != nil {
		return nil, unasked(fmt.Errorf("--attributes is no JSON object: %w", err))
	}
	return structpb.NewStruct(values)
}

func attributesText(s *structpb.Struct) string {
	if len(s.GetFields()) == 0 {
		return ""
	}
	document, err := json.Marshal(s.AsMap())
	if err != nil { // a Struct holds nothing but JSON
		return ""
	}
	return string(document)
}

// given is a list without what only says that it is to be empty: --group "".
func given(list []string) []string {
	if len(list) == 1 && list[0] == "" {
		return nil
	}
	return list
}

// constraintFlags are what a consumer or credential may be used under.
type constraintFlags struct{ addresses, methods []string }

func (f *constraintFlags) bind(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.addresses, "address", nil, "`network` that its requests must come from, such as 203.0.113.0/24; may be repeated")
	cmd.Flags().StringArrayVar(&f.methods, "method", nil, "method that its requests must have; may be repeated")
}

// constraints are those of the flags, and for what no flag says those of now.
func (f *constraintFlags) constraints(now *adminv1.Constraints) *adminv1.Constraints {
	c := &adminv1.Constraints{Addresses: now.GetAddresses(), Methods: now.GetMethods()}
	if f.addresses != nil {
		c.Addresses = given(f.addresses)
	}
	if f.methods != nil {
		c.Methods = given(f.methods)
	}
	if len(c.GetAddresses()) == 0 && len(c.GetMethods()) == 0 {
		return nil
	}
	return c
}

// half reports whether one part of the constraints is to be kept as it is. The
// API replaces both.
func (f *constraintFlags) half() bool { return (f.addresses == nil) != (f.methods == nil) }

// flagField is a flag and the field of the API that it writes.
type flagField struct{ flag, field string }

// mask names the fields whose flags were given.
func mask(cmd *cobra.Command, fields []flagField) *fieldmaskpb.FieldMask {
	m := &fieldmaskpb.FieldMask{}
	for _, f := range fields {
		if cmd.Flags().Changed(f.flag) {
			m.Paths = append(m.Paths, f.field)
		}
	}
	return m
}

// changes marks an update: one of its flags at least must be given.
func changes(cmd *cobra.Command, fields []flagField) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.flag
	}
	cmd.MarkFlagsOneRequired(names...)
	cmd.Long = cmd.Short + ". What a flag says replaces what was there, whole: all labels, all\n" +
		"roles. An empty value clears."
}

// versionFlag lets a change happen only to what somebody has seen.
func versionFlag(cmd *cobra.Command) *int64 {
	return cmd.Flags().Int64("if-version", 0, "only if it still has this version")
}

// constraints adds what a record may be used under.
func (r *record) constraints(c *adminv1.Constraints) {
	r.add("Addresses", join(c.GetAddresses()))
	r.add("Methods", join(c.GetMethods()))
}

// stamped is what the store wrote beside a record.
type stamped interface {
	GetVersion() int64
	GetCreatedAt() *timestamppb.Timestamp
	GetUpdatedAt() *timestamppb.Timestamp
}

func (r *record) stamp(s stamped) {
	r.add("Version", strconv.FormatInt(s.GetVersion(), 10))
	r.add("Created", moment(s.GetCreatedAt()))
	r.add("Updated", moment(s.GetUpdatedAt()))
}
