package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// records is a store in memory; nil: it is down.
type records map[consumer.Reference]*consumer.Found

var errDown = errors.New("store is down")

func (k records) Find(_ context.Context, ref consumer.Reference) (*consumer.Found, error) {
	switch f := k[ref]; {
	case k == nil:
		return nil, errDown
	case f == nil:
		return nil, consumer.ErrNotFound
	default:
		return f, nil
	}
}

func TestOfIssuer(t *testing.T) {
	shop := &consumer.Found{Consumer: &access.Consumer{Name: "shop"}, Credential: &access.Credential{ID: "c"}}
	store := records{
		{Kind: access.KindIssuer, Issuer: "idp", Value: "shop-client"}: shop,
		consumer.NameReference("Shop"):                                 shop,
	}
	for name, c := range map[string]struct {
		store         records
		issuer, value string
		ephemeral     bool
		want          string
		err           error
	}{
		"a record":                {store, "idp", "shop-client", false, "shop", nil},
		"a record comes first":    {store, "idp", "shop-client", true, "shop", nil},
		"of another issuer":       {store, "other", "shop-client", false, "", consumer.ErrNotFound},
		"unknown":                 {store, "idp", "new", false, "", consumer.ErrNotFound},
		"unknown, ephemeral":      {store, "idp", "new", true, "new", nil},
		"a declared one's name":   {store, "idp", "SHOP", true, "", consumer.ErrNotFound},
		"no name":                 {store, "idp", "a b", true, "", consumer.ErrNotFound},
		"empty":                   {store, "idp", "", true, "", consumer.ErrNotFound},
		"too long":                {nil, "idp", strings.Repeat("a", 513), false, "", consumer.ErrNotFound},
		"control characters":      {nil, "idp", "a\nb", false, "", consumer.ErrNotFound},
		"the store is down":       {nil, "idp", "new", true, "", errDown},
		"the store is down, deny": {nil, "idp", "new", false, "", errDown},
	} {
		found, err := consumer.OfIssuer(context.Background(), c.store, c.issuer, c.value, c.ephemeral)
		if !errors.Is(err, c.err) || err == nil && found.Consumer.Name != c.want {
			t.Errorf("%s: %+v, %v, want %q, %v", name, found, err, c.want, c.err)
		}
	}
}

func TestJudge(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	const invalid, expired = access.CodeInvalidCredential, access.CodeExpiredCredential
	for name, c := range map[string]struct {
		change func(*access.Consumer, *access.Credential)
		want   access.Code
	}{
		"good":                 {func(*access.Consumer, *access.Credential) {}, ""},
		"disabled consumer":    {func(c *access.Consumer, _ *access.Credential) { c.Enabled = false }, invalid},
		"disabled credential":  {func(_ *access.Consumer, c *access.Credential) { c.Enabled = false }, invalid},
		"other environment":    {func(c *access.Consumer, _ *access.Credential) { c.Environment = "dev" }, invalid},
		"ephemeral":            {func(c *access.Consumer, _ *access.Credential) { c.Environment, c.Ephemeral = "", true }, ""},
		"expired":              {func(_ *access.Consumer, c *access.Credential) { c.ExpiresAt = now }, expired},
		"expired and disabled": {func(_ *access.Consumer, c *access.Credential) { c.ExpiresAt, c.Enabled = now, false }, invalid},
	} {
		f := &consumer.Found{Consumer: &access.Consumer{Name: "a", Enabled: true, Environment: "prod"}, Credential: &access.Credential{Enabled: true}}
		c.change(f.Consumer, f.Credential)
		var got access.Code
		if r := f.Judge([]string{"prod"}, now); r != nil {
			got = r.Code
		}
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
