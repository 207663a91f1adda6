package extauthz

import (
	"fmt"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/postern-authz/postern/internal/access"
)

// dynamicMetadata is what Envoy's later filters and its access log may read,
// under the ext_authz filter's name: consumer, credential (its id), route and
// decision_id, as far as there are any, and the policy's own fields, which
// can't replace those four.
func dynamicMetadata(v *access.Verdict) (*structpb.Struct, error) {
	fields := make(map[string]*structpb.Value, 4+len(v.Metadata))
	for name, value := range v.Metadata {
		field, err := structpb.NewValue(value)
		if err != nil {
			return nil, fmt.Errorf("the policy's metadata: %w", err)
		}
		if err := checkText("a name in the policy's metadata", name); err != nil {
			return nil, err
		}
		fields[name] = field
	}
	block := new([4]textField)
	for i, own := range ownFields(v) {
		delete(fields, own.Name)
		if own.Value == "" {
			continue
		}
		if !utf8.ValidString(own.Value) {
			return nil, fmt.Errorf("the metadata field %s is not UTF-8", own.Name)
		}
		fields[own.Name] = block[i].set(own.Value)
	}
	return &structpb.Struct{Fields: fields}, nil
}

// textField is a string value with its parts, to be allocated at once.
type textField struct {
	value structpb.Value
	text  structpb.Value_StringValue
}

func (f *textField) set(text string) *structpb.Value {
	f.text.StringValue = text
	f.value.Kind = &f.text
	return &f.value
}

func ownFields(v *access.Verdict) [4]access.Param {
	var consumer, credential string
	if !v.Identity.Anonymous() {
		consumer = v.Identity.Consumer.Name
		if v.Identity.Credential != nil {
			credential = v.Identity.Credential.ID
		}
	}
	return [4]access.Param{
		{Name: "consumer", Value: consumer},
		{Name: "credential", Value: credential},
		{Name: "route", Value: v.Route},
		{Name: "decision_id", Value: v.DecisionID},
	}
}
