package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/keyring"
)

// imported are all kinds of credentials of one consumer, the first with a key.
func imported(t *testing.T) []keyring.Import {
	list := everyKind(t)
	list[0].Key = access.NewSecret(canary + "-imported")
	list[0].ID = ""
	return []keyring.Import{
		{Consumer: rules.Consumer{Name: "a", Environment: "prod", Groups: []string{"premium"}}, Credentials: list},
		{Consumer: rules.Consumer{Name: "b"}},
	}
}

func results(o *keyring.Outcome) []keyring.Result {
	var list []keyring.Result
	for _, item := range o.Items {
		list = append(list, item.Result)
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func key(id, text string) rules.Credential {
	return rules.Credential{ID: id, Kind: access.KindAPIKey, Key: access.NewSecret(text)}
}

func of(name string, list ...rules.Credential) keyring.Import {
	return keyring.Import{Consumer: rules.Consumer{Name: name, Environment: "prod"}, Credentials: list}
}

func TestApplySkipsWhatWasRevoked(t *testing.T) {
	h := open(t)
	both := of("held", key("revoked", canary+"-revoked"), key("kept", canary+"-kept"))
	apply(t, h, false, both)
	if _, _, err := h.Revoke(t.Context(), ops, "revoked", keyring.Revocation{Reason: "leaked"}); err != nil {
		t.Fatal(err)
	}
	o := apply(t, h, false, both, of("new"))
	if o.Failed() || o.Items[1].Result != keyring.Skipped || o.Items[2].Result != keyring.Unchanged || o.Items[3].Result != keyring.Created {
		t.Errorf("%+v", o)
	}
	if c, err := h.Credential(t.Context(), "revoked"); err != nil || c.RevokedReason != "leaked" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestTwoPlansOfOneNameAreAConflict(t *testing.T) {
	h := open(t)
	plan := func(count int64) *consumer.Plan {
		return &consumer.Plan{Name: "gold", Rates: []consumer.Rate{{Count: count, Period: time.Second}}}
	}
	on := func(name string, count int64) keyring.Import {
		return keyring.Import{Plan: plan(count), Consumer: rules.Consumer{Name: name, Plan: "gold"}}
	}
	if o := apply(t, h, false, on("a", 5), on("b", 6)); !o.Failed() || o.Items[2].Result != keyring.Conflict || o.Items[2].ID != "gold" {
		t.Errorf("other limits: %+v", o)
	}
	if o := apply(t, h, false, on("a", 5), on("b", 5)); o.Failed() || len(o.Items) != 3 {
		t.Errorf("the same limits: %+v", o)
	}
}

func apply(t *testing.T, h *house, dryRun bool, imports ...keyring.Import) *keyring.Outcome {
	t.Helper()
	o, err := h.Apply(t.Context(), ops, imports, dryRun)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func head(t *testing.T, h *house) consumer.Sequence {
	t.Helper()
	upto, err := h.ledger.Head(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return upto
}

func TestApplyTwiceChangesNothing(t *testing.T) {
	h := open(t)
	before := head(t, h)
	if o := apply(t, h, true, imported(t)...); !slices.Equal(results(o), []keyring.Result{keyring.Created}) || head(t, h) != before || o.Sequence != 0 {
		t.Errorf("a trial: %+v", o)
	}
	first := apply(t, h, false, imported(t)...)
	if len(first.Items) != 15 || !slices.Equal(results(first), []keyring.Result{keyring.Created}) || first.Sequence != before+1 {
		t.Fatalf("%+v", first)
	}
	if found, err := h.ledger.Find(t.Context(), rules.KeyReference(access.NewSecret(canary+"-imported"))); err != nil || found.Consumer.Name != "a" || found.Credential.ID == "" {
		t.Errorf("%+v, %v", found, err)
	}
	notes := len(audit(t, h))
	second := apply(t, h, false, imported(t)...)
	if !slices.Equal(results(second), []keyring.Result{keyring.Unchanged}) || second.Sequence != 0 || head(t, h) != first.Sequence || len(audit(t, h)) != notes {
		t.Errorf("again: %+v", second)
	}
	for i := range second.Items {
		if first.Items[i].ID != second.Items[i].ID {
			t.Errorf("item %d was %s and is %s", i, first.Items[i].ID, second.Items[i].ID)
		}
	}
}

func TestApplyUpdates(t *testing.T) {
	h := open(t)
	apply(t, h, false, imported(t)...)
	changed := imported(t)
	changed[0].Consumer.Groups = []string{"standard"}
	for i := range changed[0].Credentials {
		switch c := &changed[0].Credentials[i]; c.ID {
		case "foreign":
			c.Scopes = []string{"orders:read"}
		case "hmac", "sig":
			c.Secret = access.NewSecret("another-" + canary)
		case "basic":
			c.Password = access.NewSecret("another-" + canary)
		case "uri":
			c.URISAN = "spiffe://example.com/other"
		}
	}
	o := apply(t, h, false, changed...)
	var updated []string
	for _, item := range o.Items {
		if item.Result == keyring.Updated {
			updated = append(updated, item.Kind+" "+item.ID)
		} else if item.Result != keyring.Unchanged {
			t.Errorf("%+v", item)
		}
	}
	if want := []string{"consumer ", "credential foreign", "credential hmac", "credential basic", "credential sig", "credential uri"}; !slices.Equal(updated, want) {
		t.Errorf("updated %q, want %q", updated, want)
	}
	if again := apply(t, h, false, changed...); !slices.Equal(results(again), []keyring.Result{keyring.Unchanged}) {
		t.Errorf("again: %+v", again)
	}
	if found, err := h.ledger.Find(t.Context(), consumer.Reference{Kind: access.KindSignature, Value: "app"}); err != nil || !found.Secret.Equal([]byte("another-"+canary)) {
		t.Errorf("the secret is the old one: %v", err)
	}
	if _, err := h.ledger.Find(t.Context(), consumer.Reference{Kind: access.KindClientCertificate, Value: "uri:spiffe://example.com/app"}); !errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("the old name: %v", err)
	}
}

// Other gateways' documents don't know the word: importing one again does not
// enable what was disabled here.
func TestApplyLeavesWhatWasDisabled(t *testing.T) {
	h, ctx := open(t), t.Context()
	key := access.NewSecret(canary + "-disabled")
	told := func(enabled *bool, label string) keyring.Import {
		return keyring.Import{
			Consumer:    rules.Consumer{Name: "a", DisplayName: label, Enabled: enabled},
			Credentials: []rules.Credential{{ID: "k", Kind: access.KindAPIKey, Key: key, Label: label, Enabled: enabled}},
		}
	}
	disabled := func() bool {
		c, err := h.Credential(ctx, "k")
		owner, err2 := h.Consumer(ctx, "a")
		if err := errors.Join(err, err2); err != nil {
			t.Fatal(err)
		}
		return !c.Enabled && !owner.Enabled
	}
	apply(t, h, false, told(nil, "one"))
	if err := errors.Join(third(h.DisableConsumer(ctx, ops, "a", 0)), third(h.DisableCredential(ctx, ops, "k", 0))); err != nil {
		t.Fatal(err)
	}
	if o := apply(t, h, false, told(nil, "one")); !slices.Equal(results(o), []keyring.Result{keyring.Unchanged}) || !disabled() {
		t.Errorf("the same again: %+v", o)
	}
	if o := apply(t, h, false, told(nil, "two")); !slices.Equal(results(o), []keyring.Result{keyring.Updated}) || !disabled() {
		t.Errorf("edited: %+v", o)
	}
	key = access.NewSecret(canary + "-another")
	if o := apply(t, h, false, told(nil, "two")); o.Failed() || !disabled() {
		t.Errorf("with another key: %+v", o)
	}
	if o := apply(t, h, false, told(new(true), "two")); !slices.Equal(results(o), []keyring.Result{keyring.Updated}) || disabled() {
		t.Errorf("enabled by the document: %+v", o)
	}
}

func TestApplyNothingIfAnyFails(t *testing.T) {
	for name, c := range map[string]struct {
		add  keyring.Import
		want keyring.Result
		text string
	}{
		"a name that is none":            {of("x y"), keyring.Refused, "name"},
		"a key that is none":             {of("x", key("k", "short")), keyring.Refused, "key"},
		"a key without a key":            {of("x", rules.Credential{Kind: access.KindAPIKey}), keyring.Refused, ""},
		"another consumer's key":         {of("x", key("k", canary)), keyring.Conflict, "of consumer held"},
		"another consumer's id":          {of("x", key("held-key", canary+"-2")), keyring.Conflict, "one of consumer held"},
		"a consumer twice":               {of("NEW"), keyring.Conflict, "already"},
		"an id twice":                    {of("x", key("k", canary+"-3"), key("K", canary+"-4")), keyring.Conflict, "already"},
		"a key twice":                    {of("x", key("k", canary+"-3"), key("l", canary+"-3")), keyring.Conflict, "already"},
		"a declared consumer":            {of("declared"), keyring.Conflict, "declared in a file"},
		"another environment":            {keyring.Import{Consumer: rules.Consumer{Name: "held", Environment: "dev"}}, keyring.Conflict, "has credentials"},
		"a plan that there is not":       {keyring.Import{Consumer: rules.Consumer{Name: "x", Plan: "gold"}}, keyring.Refused, "plan"},
		"more credentials than it holds": {of("x", key("k1", canary+"-5"), key("k2", canary+"-6"), key("k3", canary+"-7"), key("k4", canary+"-8")), keyring.Conflict, "has as many"},
	} {
		t.Run(name, func(t *testing.T) {
			h := open(t, func(o *keyring.Options) {
				o.Declared = func(name string) bool { return name == "declared" }
				o.MaxCredentials = 3
			})
			apply(t, h, false, of("held", key("held-key", canary), key("revoked", canary+"-revoked")))
			if _, _, err := h.Revoke(t.Context(), ops, "revoked", keyring.Revocation{}); err != nil {
				t.Fatal(err)
			}
			before := head(t, h)
			o := apply(t, h, false, of("new"), c.add)
			failed := slices.IndexFunc(o.Items, func(i keyring.Item) bool { return i.Result == c.want })
			if !o.Failed() || failed < 0 || !strings.Contains(fmt.Sprint(o.Items[failed].Text, o.Items[failed].Problems), c.text) {
				t.Errorf("%+v", o)
			}
			if strings.Contains(fmt.Sprintf("%+v", o), canary) {
				t.Errorf("a secret is told: %+v", o)
			}
			if _, err := h.Consumer(context.Background(), "new"); head(t, h) != before || !errors.Is(err, consumer.ErrNotFound) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
}

func TestApplyPlans(t *testing.T) {
	h := open(t)
	for _, c := range []struct {
		count          int64
		plan, consumer keyring.Result
	}{
		{5, keyring.Created, keyring.Created},
		{5, keyring.Unchanged, keyring.Unchanged},
		{6, keyring.Updated, keyring.Unchanged},
		{0, keyring.Refused, keyring.Unchanged},
	} {
		plan := &consumer.Plan{Name: "gold", Rates: []consumer.Rate{{Count: c.count, Period: time.Second}}}
		o := apply(t, h, false, keyring.Import{Plan: plan, Consumer: rules.Consumer{Name: "a", Plan: "gold"}})
		if len(o.Items) != 2 || o.Items[0].Result != c.plan || o.Items[0].ID != "gold" || o.Items[1].Result != c.consumer {
			t.Errorf("count %d: %+v", c.count, o)
		}
	}
	if p, err := h.Plan(t.Context(), "gold"); err != nil || p.Rates[0].Count != 6 {
		t.Errorf("%+v, %v", p, err)
	}
}
