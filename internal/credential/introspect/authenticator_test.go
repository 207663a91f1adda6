package introspect_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/credential/introspect"
)

func TestIdentity(t *testing.T) {
	h := build(t, says(active(`,"scope":"openid orders:read","realm_access":{"roles":["admin","reader"]},"groups":["staff"],"token_type":"bearer","typ":"Bearer"`)))
	proof, err := ask(h.Authenticator, opaque)
	if err != nil {
		t.Fatal(err)
	}
	id := proof.Identity
	got := []any{id.Consumer.Name, id.Credential.ID, id.Issuer, id.Scopes, id.Roles, id.Groups, id.Claims["scope"], proof.From}
	want := []any{
		"mobile-app", "mobile-idp", "idp", []string{"record:scope", "openid", "orders:read"}, []string{"reader", "admin"},
		[]string{"premium", "staff"}, "openid orders:read", access.Location{Header: "authorization"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("identity differs (-want +got):\n%s", diff)
	}
}

// TestWhatTheServerIsAsked holds the wire to RFC 7662 section 2.1 and RFC 6749
// section 2.3.1.
func TestWhatTheServerIsAsked(t *testing.T) {
	const basic = "Basic Z2F0ZSUzQXdheTpzM2NyJTI2dCtvZit0aGUrZ2F0ZXdheQ==" // gate%3Away:s3cr%26t+of+the+gateway
	for name, c := range map[string]struct {
		change        func(*settings)
		authorization string
		form          string
	}{
		"basic": {func(*settings) {}, basic, "token=" + opaque},
		"basic by name, hint": {
			func(s *settings) { s.server.ClientAuth, s.server.TokenTypeHint = introspect.BasicAuth, "refresh_token" },
			basic, "token=" + opaque + "&token_type_hint=refresh_token",
		},
		"post": {
			func(s *settings) { s.server.ClientAuth = introspect.PostAuth },
			"", "client_id=gate%3Away&client_secret=s3cr%26t+of+the+gateway&token=" + opaque,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			h := build(t, func(w http.ResponseWriter, r *http.Request) {
				if err := r.ParseForm(); err != nil {
					t.Error(err)
				}
				got = []string{r.Method, r.URL.String(), r.Header.Get("Content-Type"), r.Header.Get("Accept"), r.Header.Get("Authorization"), r.PostForm.Encode()}
				says(active(""))(w, r)
			}, c.change)
			h.want(t, opaque, "")
			want := []string{http.MethodPost, "/introspect", "application/x-www-form-urlencoded", "application/json", c.authorization, c.form}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("request differs (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnswers goes through what a server may say with a 200 and JSON.
func TestAnswers(t *testing.T) {
	at := func(name string, offset int) string {
		return fmt.Sprintf(`,%q:%d`, name, noon().Unix()+int64(offset))
	}
	bare := func(more string) string { return `{"active":true,"client_id":"mobile"` + more + `}` }
	for name, c := range map[string]struct {
		answer string
		want   access.Code
	}{
		"active":                         {bare(""), ""},
		"not active":                     {`{"active":false}`, invalid},
		"not active, and claims":         {`{"active":false,"client_id":"mobile","exp":"soon"}`, invalid},
		"no active":                      {`{"client_id":"mobile"}`, fault},
		"active in other case":           {`{"Active":true,"client_id":"mobile"}`, fault},
		"active as a string":             {`{"active":"true","client_id":"mobile"}`, fault},
		"active as a number":             {`{"active":1,"client_id":"mobile"}`, fault},
		"active null":                    {`{"active":null,"client_id":"mobile"}`, fault},
		"active twice":                   {`{"active":false,"active":true,"client_id":"mobile"}`, fault},
		"no JSON":                        {`active`, fault},
		"nothing":                        {``, fault},
		"a list":                         {`[{"active":true}]`, fault},
		"more behind it":                 {bare("") + bare(""), fault},
		"deep":                           {bare(`,"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40)), fault},
		"not UTF-8":                      {bare(",\"x\":\"\xff\""), fault},
		"exp as a string":                {bare(`,"exp":"1"`), fault},
		"ends":                           {bare(at("exp", 1)), ""},
		"ended within the leeway":        {bare(at("exp", -29)), ""},
		"ended":                          {bare(at("exp", -30)), expired},
		"ended, unknown consumer":        {`{"active":true,"client_id":"new"` + at("exp", -30) + `}`, invalid},
		"begins within the leeway":       {bare(at("nbf", 30)), ""},
		"begins later":                   {bare(at("nbf", 31)), invalid},
		"issued later":                   {bare(at("iat", 31)), invalid},
		"a bearer token":                 {bare(`,"token_type":"bearer"`), ""},
		"a DPoP token":                   {bare(`,"token_type":"DPoP"`), invalid},
		"token_type of another kind":     {bare(`,"token_type":1`), invalid},
		"a refresh token":                {bare(`,"typ":"Refresh"`), invalid},
		"an offline token":               {bare(`,"typ":"Offline","token_type":"Bearer"`), invalid},
		"an ID token":                    {bare(`,"typ":"ID"`), invalid},
		"no consumer":                    {`{"active":true}`, invalid},
		"a consumer that is no string":   {`{"active":true,"client_id":7}`, invalid},
		"an empty consumer":              {`{"active":true,"client_id":""}`, invalid},
		"an unknown consumer":            {`{"active":true,"client_id":"new"}`, invalid},
		"a disabled credential":          {`{"active":true,"client_id":"off"}`, invalid},
		"a credential at its end":        {`{"active":true,"client_id":"ended"}`, expired},
		"a disabled consumer":            {`{"active":true,"client_id":"retired"}`, invalid},
		"roles that are no list":         {bare(`,"realm_access":{"roles":{"admin":true}}`), invalid},
		"any audience where none wanted": {bare(`,"aud":"elsewhere"`), ""},
		"an audience that is no text":    {bare(`,"aud":[1]`), fault},
	} {
		t.Run(name, func(t *testing.T) { build(t, says(c.answer)).want(t, opaque, c.want) })
	}
}

// TestConfiguredBelief goes through what configuration makes of an answer.
func TestConfiguredBelief(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*introspect.Config)
		answer string
		want   access.Code
	}{
		"audience":              {func(c *introspect.Config) { c.Audiences = []string{"orders"} }, active(`,"aud":["account","orders"]`), ""},
		"audience as a string":  {func(c *introspect.Config) { c.Audiences = []string{"orders"} }, active(`,"aud":"orders"`), ""},
		"other audience":        {func(c *introspect.Config) { c.Audiences = []string{"orders"} }, active(`,"aud":["Orders"]`), invalid},
		"no audience":           {func(c *introspect.Config) { c.Audiences = []string{"orders"} }, active(""), invalid},
		"offline where allowed": {func(c *introspect.Config) { c.TokenTypes = []string{"Bearer", "Offline"} }, active(`,"typ":"Offline","token_type":"Bearer"`), ""},
		"bearer where it isn't": {func(c *introspect.Config) { c.TokenTypes = []string{"Offline"} }, active(`,"typ":"Bearer"`), invalid},
		"another claim":         {func(c *introspect.Config) { c.ConsumerClaim = "ext.app" }, `{"active":true,"ext":{"app":"mobile"}}`, ""},
		"other environment":     {func(c *introspect.Config) { c.Environments = []string{"dev"} }, active(""), invalid},
		"own environment":       {func(c *introspect.Config) { c.Environments = []string{"prod"} }, active(""), ""},
		"much leeway is a minute": {
			func(c *introspect.Config) { c.Leeway = time.Hour },
			fmt.Sprintf(`{"active":true,"client_id":"mobile","exp":%d}`, noon().Unix()-60), expired,
		},
	} {
		t.Run(name, func(t *testing.T) {
			build(t, says(c.answer), func(s *settings) { c.change(&s.config) }).want(t, opaque, c.want)
		})
	}
}

func TestEphemeralConsumer(t *testing.T) {
	for value, want := range map[string]access.Code{"new-app": "", "MOBILE-APP": invalid, "a b": invalid, "retired": invalid} {
		h := build(t, says(fmt.Sprintf(`{"active":true,"client_id":%q,"scope":"a"}`, value)), func(s *settings) {
			s.config.UnknownConsumer, s.config.Environments = introspect.UnknownEphemeral, []string{"prod"}
		})
		proof, err := ask(h.Authenticator, opaque)
		if codeOf(err) != want {
			t.Errorf("%s: answer %q (%v), want %q", value, codeOf(err), err, want)
		}
		if err == nil && (!proof.Identity.Consumer.Ephemeral || proof.Identity.Consumer.Name != value || len(proof.Identity.Roles) != 0) {
			t.Errorf("%s: consumer %+v", value, proof.Identity.Consumer)
		}
	}
}

func TestPlaces(t *testing.T) {
	key, err := consumer.NewKey("pst", "prod", strings.NewReader(strings.Repeat("0123456789abcdef", 8)))
	if err != nil {
		t.Fatal(err)
	}
	const auth, own = "authorization", "x-token"
	for name, c := range map[string]struct {
		headers access.Headers
		want    access.Code
		asked   int64
	}{
		"none":                  {nil, missing, 0},
		"opaque":                {access.Headers{{Name: auth, Value: "bearer " + opaque}}, "", 1},
		"in a header":           {access.Headers{{Name: own, Value: opaque}}, "", 1},
		"five parts":            {access.Headers{{Name: auth, Value: "Bearer a.b.c.d.e"}}, "", 1},
		"a JWT":                 {access.Headers{{Name: auth, Value: "Bearer a.b.c"}}, missing, 0},
		"a JWT in a header":     {access.Headers{{Name: own, Value: "a.b.c"}}, missing, 0},
		"a key":                 {access.Headers{{Name: auth, Value: "Bearer " + string(key.Reveal())}}, missing, 0},
		"other scheme":          {access.Headers{{Name: auth, Value: "Basic " + opaque}}, missing, 0},
		"nothing behind Bearer": {access.Headers{{Name: auth, Value: "Bearer "}}, invalid, 0},
		"two lines":             {access.Headers{{Name: auth, Value: "Bearer " + opaque}, {Name: auth, Value: "Bearer " + opaque}}, invalid, 0},
		"two places":            {access.Headers{{Name: auth, Value: "Bearer " + opaque}, {Name: own, Value: opaque}}, invalid, 0},
		"joined":                {access.Headers{{Name: own, Value: opaque + "," + opaque}}, invalid, 0},
		"space behind":          {access.Headers{{Name: auth, Value: "Bearer " + opaque + " "}}, invalid, 0},
		"not ASCII":             {access.Headers{{Name: own, Value: "tökén"}}, invalid, 0},
		"control":               {access.Headers{{Name: own, Value: "a\x00b"}}, invalid, 0},
		"as long as may be":     {access.Headers{{Name: own, Value: strings.Repeat("a", 16<<10)}}, "", 1},
		"too long":              {access.Headers{{Name: own, Value: strings.Repeat("a", 16<<10+1)}}, invalid, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := build(t, says(active("")), func(s *settings) { s.config.In = append(s.config.In, introspect.Location{Header: "X-Token"}) })
			_, err := h.Authenticate(context.Background(), &access.Request{Headers: c.headers})
			if codeOf(err) != c.want || h.stub.asked.Load() != c.asked {
				t.Errorf("answer %q (%v), asked %d times, want %q, %d", codeOf(err), err, h.stub.asked.Load(), c.want, c.asked)
			}
		})
	}
}

func TestTakesJWT(t *testing.T) {
	h := build(t, says(active("")), func(s *settings) { s.config.TakesJWT = true })
	h.want(t, "a.b.c", "")
	h.want(t, opaque, "")
}

func TestKindAndChallenge(t *testing.T) {
	h := build(t, says(""), func(s *settings) { s.config.Realm = `a "b"` })
	if got, want := h.Challenge(false), `Bearer realm="a \"b\""`; got != want {
		t.Errorf("challenge %s, want %s", got, want)
	}
	if got, want := h.Challenge(true), `Bearer realm="a \"b\"", error="invalid_token"`; got != want {
		t.Errorf("challenge %s, want %s", got, want)
	}
	if h.Kind() != access.KindIntrospection {
		t.Errorf("kind %s", h.Kind())
	}
}

func TestStoreTroubleIsAFaultAndNotRemembered(t *testing.T) {
	h := build(t, says(active("")), remembering)
	h.store.err = errors.New("store is down")
	h.want(t, opaque, fault)
	h.store.err = nil
	h.want(t, opaque, "")
}

func TestExplainTellsTheStoryAndNoSecret(t *testing.T) {
	for name, c := range map[string]struct {
		does http.HandlerFunc
		want string
	}{
		"proven":   {says(active("")), "consumer mobile-app"},
		"rejected": {says(`{"active":false}`), "not active"},
		"failed":   {answers(http.StatusInternalServerError), "status 500"},
		"echoed":   {says(`{"active":"` + opaque + `"}`), "active is missing"},
	} {
		h := build(t, c.does, remembering)
		_, _ = ask(h.Authenticator, opaque) // so that it could be remembered
		req := request(opaque)
		req.Explain = &access.Explanation{}
		_, err := h.Authenticate(context.Background(), req)
		story := fmt.Sprint(req.Explain.Steps, err, h.log)
		if !strings.Contains(story, c.want) {
			t.Errorf("%s: %q is not in the story: %s", name, c.want, story)
		}
		if strings.Contains(story, opaque) || strings.Contains(story, secret) {
			t.Errorf("%s: a secret is in the story: %s", name, story)
		}
	}
}
