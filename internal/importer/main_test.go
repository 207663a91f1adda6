package importer_test

import (
	"encoding/json"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func clock() time.Time { return now }

var written rules.Written

func describe(t *testing.T, owner *access.Consumer, plan string) string {
	t.Helper()
	if len(owner.Groups) == 0 {
		owner.Groups = nil
	}
	if len(owner.Roles) == 0 {
		owner.Roles = nil
	}
	text, err := json.MarshalIndent(struct {
		*access.Consumer
		Plan string
	}{owner, plan}, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
