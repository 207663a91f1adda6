package admin

import (
	"encoding/json"
	"testing"

	"google.golang.org/protobuf/proto"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// FuzzBody: a body that the strict reading lets pass is one that the gateway
// can read, says what it seems to say, and is written as JSON again.
func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		`{"name":"app","labels":{"a":"b"},"attributes":{"x":[1,2.5,true,null,{"y":"z"}]},"constraints":{"methods":["GET"]},"enabled":false,"version":3}`,
		`{"id":"k","type":"api_key","key":"0123456789abcdef","expires_at":"2027-01-31T12:00:00.5+01:00","scopes":["a"]}`,
		`{"name":"gold","rates":[{"count":5,"period":"1s"}],"quotas":[{"count":1,"period":"month","cap":"hard"}]}`,
		`{"grace":"720h","expires_at":null}`, `{"document":"x","dry_run":true}`,
		`{}`, `[]`, `null`, `{"name":"\ud800"}`, `{"name":1e400}`, `{"version":1.0}`, `{"version":-0}`, `{"expires_at":"9999-12-31T23:59:60Z"}`,
		`{"displayName":"x"}`, `{"name":"a","name":"b"}`, `{"attributes":{"a":1e999}}`, `{"name":null}`, "{\"name\":\"\xff\"}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, m := range []proto.Message{&adminv1.Consumer{}, &adminv1.Credential{}, &adminv1.Plan{}, &adminv1.Grant{}, &adminv1.RotateKeyRequest{}, &adminv1.ImportRequest{}} {
			if p := checkBody(data, m.ProtoReflect().Descriptor(), nil); p != nil {
				if status, _ := p.statuses(); status != 400 {
					t.Errorf("%s: %d", p, status)
				}
				continue
			}
			if err := (codec{}).Unmarshal(data, m); err != nil {
				t.Fatalf("%q was let pass, but: %v", data, err)
			}
			text, err := MarshalJSON(m)
			if err != nil || !json.Valid(text) {
				t.Fatalf("%q is written as %s: %v", data, text, err)
			}
		}
	})
}
