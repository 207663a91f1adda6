package signature_test

import (
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/signature"
)

// changed returns a request with the first line of a header replaced.
func changed(req *access.Request, name, value string) *access.Request {
	for i := range req.Headers {
		if req.Headers[i].Name == name {
			req.Headers[i].Value = value
			return req
		}
	}
	panic("no header " + name)
}

// without returns a request without a header.
func without(req *access.Request, name string) *access.Request {
	var kept access.Headers
	for _, h := range req.Headers {
		if h.Name != name {
			kept = append(kept, h)
		}
	}
	req.Headers = kept
	return req
}

// edited returns a request after an edit.
func edited(req *access.Request, edit func(*access.Request)) *access.Request {
	edit(req)
	return req
}

func at(d time.Duration) string { return fmt.Sprint(start.Add(d).UnixMilli()) }

func dateAt(d time.Duration) string {
	return start.Add(d).Format("Mon, 02 Jan 2006 15:04:05 GMT")
}

// cases are asked of a fresh authenticator each.
type cases map[string]struct {
	req  *access.Request
	want string
}

func (c cases) run(t *testing.T, config signature.Config) {
	t.Helper()
	for name, tt := range c {
		t.Run(name, func(t *testing.T) {
			b := setUp(t, config)
			proof, err := b.Authenticate(context.Background(), tt.req)
			if got := answer(proof, err); got != tt.want {
				t.Errorf("got %s (%v), want %s", got, err, tt.want)
			}
			if remembered := b.nonces.Len() > 0; remembered != (err == nil) {
				t.Errorf("remembered: %v, after %v", remembered, err)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	signedGet := func() *access.Request { return plain(request(), "good", startMs, "n") }
	signedPost := func() *access.Request { return plain(post(`{"a":1}`), "good", startMs, "n") }
	nonce := func(n string) *access.Request { return plain(request(), "good", startMs, n) }
	cases{
		"no credential":       {request("accept: */*"), "none"},
		"a key alone":         {request("x-api-key: good"), "none"},
		"a timestamp alone":   {request("x-api-key: good", "x-timestamp: "+startMs, "x-nonce: n"), "none"},
		"GET":                 {signedGet(), "good"},
		"POST":                {signedPost(), "good"},
		"no algorithms named": {plain(request(), "silent", startMs, "n"), "silent"},
		"upper-case hex":      {edited(signedGet(), func(r *access.Request) { upperSignature(r) }), "good"},
		"beside another kind": {with(signedGet(), "authorization: Bearer x.y.z"), "good"},
		"longest nonce":       {nonce(strings.Repeat("n", 128)), "good"},
		"oldest":              {plain(request(), "good", at(-5*time.Minute), "n"), "good"},
		"newest":              {plain(request(), "good", at(5*time.Minute), "n"), "good"},

		"too old":                {plain(request(), "good", at(-5*time.Minute-time.Millisecond), "n"), "invalid"},
		"too new":                {plain(request(), "good", at(5*time.Minute+time.Millisecond), "n"), "invalid"},
		"seconds":                {plain(request(), "good", startMs[:10], "n"), "invalid"},
		"signed number":          {plain(request(), "good", "+"+startMs[1:], "n"), "invalid"},
		"space in the time":      {plain(request(), "good", " "+startMs[1:], "n"), "invalid"},
		"longer time":            {plain(request(), "good", "0"+startMs, "n"), "invalid"},
		"empty time":             {plain(request(), "good", "", "n"), "invalid"},
		"changed time":           {changed(signedGet(), "x-timestamp", at(time.Second)), "invalid"},
		"changed nonce":          {changed(signedGet(), "x-nonce", "m"), "invalid"},
		"changed key id":         {changed(signedGet(), "x-api-key", "ending"), "ending"}, // of one secret: the id is not signed
		"changed body":           {edited(signedPost(), func(r *access.Request) { r.Body[0] = '[' }), "invalid"},
		"a body put in":          {edited(signedGet(), func(r *access.Request) { r.Body = []byte("x") }), "invalid"},
		"the body taken out":     {edited(signedPost(), func(r *access.Request) { r.Body = nil }), "invalid"},
		"cut body":               {edited(signedPost(), func(r *access.Request) { r.BodyTruncated = true }), "invalid"},
		"longer than passed":     {edited(signedPost(), func(r *access.Request) { r.Size = 100 }), "invalid"},
		"longer announced":       {changed(signedPost(), "content-length", "8"), "invalid"},
		"shorter announced":      {changed(signedPost(), "content-length", "6"), "invalid"},
		"two lengths":            {with(signedPost(), "content-length: 7"), "invalid"},
		"announced, not passed":  {with(signedGet(), "content-length: 1"), "invalid"},
		"chunked, not passed":    {with(signedGet(), "transfer-encoding: chunked"), "invalid"},
		"size, not passed":       {edited(signedGet(), func(r *access.Request) { r.Size = 1 }), "invalid"},
		"POST, nothing passed":   {edited(signedGet(), func(r *access.Request) { r.Method = "POST" }), "invalid"},
		"POST, nothing there":    {plain(post(""), "good", startMs, "n"), "good"},
		"POST through nginx":     {edited(plain(post(""), "good", startMs, "n"), func(r *access.Request) { r.Door = access.Nginx }), "invalid"},
		"GET through nginx":      {edited(signedGet(), func(r *access.Request) { r.Door = access.Nginx }), "good"},
		"no key id":              {without(signedGet(), "x-api-key"), "invalid"},
		"no time":                {without(signedGet(), "x-timestamp"), "invalid"},
		"no nonce":               {without(signedGet(), "x-nonce"), "invalid"},
		"two key ids":            {with(signedGet(), "x-api-key: good"), "invalid"},
		"two times":              {with(signedGet(), "x-timestamp: "+startMs), "invalid"},
		"two nonces":             {with(signedGet(), "x-nonce: n"), "invalid"},
		"two signatures":         {with(signedGet(), "x-signature: 00"), "invalid"},
		"empty signature":        {changed(signedGet(), "x-signature", ""), "invalid"},
		"half a signature":       {edited(signedGet(), func(r *access.Request) { halfSignature(r) }), "invalid"},
		"not hex":                {changed(signedGet(), "x-signature", strings.Repeat("g", 64)), "invalid"},
		"white space":            {edited(signedGet(), func(r *access.Request) { r.Headers[3].Value += " " }), "invalid"},
		"empty key id":           {changed(signedGet(), "x-api-key", ""), "invalid"},
		"joined key ids":         {changed(signedGet(), "x-api-key", "good,good"), "invalid"},
		"long key id":            {changed(signedGet(), "x-api-key", strings.Repeat("k", 257)), "invalid"},
		"key id not ascii":       {changed(signedGet(), "x-api-key", "gööd"), "invalid"},
		"key id in other case":   {changed(signedGet(), "x-api-key", "GOOD"), "invalid"},
		"unknown key id":         {plain(request(), "unknown", startMs, "n"), "invalid"},
		"another algorithm's":    {plain(request(), "long", startMs, "n"), "invalid"},
		"empty nonce":            {nonce(""), "invalid"},
		"long nonce":             {nonce(strings.Repeat("n", 129)), "invalid"},
		"dot in the nonce":       {nonce("a.b"), "invalid"},
		"comma in the nonce":     {nonce("a,b"), "invalid"},
		"space in the nonce":     {nonce("a b"), "invalid"},
		"nonce not ascii":        {nonce("ñ"), "invalid"},
		"disabled":               {plain(request(), "disabled", startMs, "n"), "invalid"},
		"disabled consumer":      {plain(request(), "retired", startMs, "n"), "invalid"},
		"record without secret":  {plain(request(), "empty", startMs, "n"), "fault"},
		"two dialects":           {with(signedGet(), apisix("good").Headers[1].Name+": "+apisix("good").Headers[1].Value), "invalid"},
		"two authorizations":     {with(signedGet(), "authorization: Bearer a", "authorization: Bearer b"), "invalid"},
		"an empty authorization": {with(signedGet(), "authorization: "), "invalid"},
	}.run(t, signature.Config{})
}

func upperSignature(r *access.Request) {
	last := &r.Headers[len(r.Headers)-1]
	last.Value = strings.ToUpper(last.Value)
}

func halfSignature(r *access.Request) {
	last := &r.Headers[len(r.Headers)-1]
	last.Value = last.Value[:32]
}

// The text that is signed can be cut into nonce and body in one way alone.
func TestNonceCannotTakeOfTheBody(t *testing.T) {
	b := setUp(t, signature.Config{})
	first := plain(post("b.c"), "good", startMs, "a")
	if got := b.ask(first); got != "good" {
		t.Fatalf("got %s", got)
	}
	second := changed(post("c", "x-api-key: good", "x-timestamp: "+startMs, "x-nonce: a.b", "x-signature: "), "x-signature", first.Headers[len(first.Headers)-1].Value)
	if got := b.ask(second); got != "invalid" {
		t.Errorf("the same signature with another nonce: %s", got)
	}
}

// line makes a request with a date and an APISIX or Kong line as it is given.
func line(authorization string) *access.Request {
	return request("date: "+startDate, "authorization: "+authorization)
}

func TestParameters(t *testing.T) {
	a, k := apisix("good").Headers[1].Value, kong("good").Headers[1].Value
	replace := func(s, old, by string) *access.Request {
		if !strings.Contains(s, old) {
			t.Fatalf("no %q in %q", old, s)
		}
		return line(strings.Replace(s, old, by, 1))
	}
	cases{
		"apisix":               {line(a), "good"},
		"kong":                 {line(k), "good"},
		"scheme in other case": {replace(a, "Signature", "sIGNATURE"), "good"},
		"Hmac":                 {replace(k, "hmac ", "Hmac "), "good"},
		"white space":          {replace(a, `",algorithm`, "\" \t, \talgorithm"), "good"},
		"another order":        {line(`Signature headers="@request-target date",` + strings.Replace(strings.TrimPrefix(a, "Signature "), `headers="@request-target date",`, "", 1)), "good"},
		"other schemes":        {line("Bearer x.y.z"), "none"},

		"bare":                   {line("Signature"), "invalid"},
		"bare, with a space":     {line("hmac "), "invalid"},
		"two spaces":             {replace(a, "Signature ", "Signature  "), "invalid"},
		"tab":                    {replace(a, "Signature ", "Signature\t"), "invalid"},
		"kong's name in apisix":  {replace(a, "keyId", "username"), "invalid"},
		"apisix's name in kong":  {replace(k, "username", "keyId"), "invalid"},
		"name in other case":     {replace(a, "keyId", "keyid"), "invalid"},
		"twice":                  {line(a + `,keyId="good"`), "invalid"},
		"signature twice":        {line(a + `,signature="AAAA"`), "invalid"},
		"unknown parameter":      {line(a + `,created="1"`), "invalid"},
		"opaque":                 {line(a + `,opaque=""`), "invalid"},
		"no key id":              {replace(a, `keyId="good",`, ""), "invalid"},
		"no algorithm":           {replace(a, `algorithm="hmac-sha256",`, ""), "invalid"},
		"no headers":             {replace(a, `headers="@request-target date",`, ""), "invalid"},
		"no signature":           {line(strings.TrimSuffix(a, `,signature="`+lastOf(a)+`"`)), "invalid"},
		"empty key id":           {replace(a, `"good"`, `""`), "invalid"},
		"not quoted":             {replace(a, `"good"`, `good`), "invalid"},
		"single quotes":          {replace(a, `"good"`, `'good'`), "invalid"},
		"white space at =":       {replace(a, `keyId=`, `keyId = `), "invalid"},
		"escape":                 {replace(a, `"good"`, `"goo\d"`), "invalid"},
		"quote in a value":       {replace(a, `"good"`, `"go\"od"`), "invalid"},
		"not closed":             {line(strings.TrimSuffix(a, `"`)), "invalid"},
		"comma at the end":       {line(a + ","), "invalid"},
		"comma at the front":     {replace(a, "Signature ", "Signature ,"), "invalid"},
		"two commas":             {replace(a, `",algorithm`, `",,algorithm`), "invalid"},
		"no comma":               {replace(a, `",algorithm`, `" algorithm`), "invalid"},
		"junk behind":            {line(a + " x"), "invalid"},
		"white space behind":     {line(a + " "), "invalid"},
		"tab in a value":         {replace(a, "@request-target date", "@request-target\tdate"), "invalid"},
		"not ascii":              {replace(a, `"good"`, `"gööd"`), "invalid"},
		"space in the key id":    {replace(a, `"good"`, `"go od"`), "invalid"},
		"long key id":            {replace(a, `"good"`, `"`+strings.Repeat("k", 257)+`"`), "invalid"},
		"5 KiB":                  {replace(a, `"good"`, `"`+strings.Repeat("k", 5<<10)+`"`), "invalid"},
		"a megabyte of commas":   {line("Signature " + strings.Repeat(",", 1<<20)), "invalid"},
		"unknown key id":         {apisix("unknown"), "invalid"},
		"algorithm in caps":      {replace(a, "hmac-sha256", "HMAC-SHA256"), "invalid"},
		"algorithm none":         {replace(a, "hmac-sha256", "none"), "invalid"},
		"algorithm hs2019":       {replace(a, "hmac-sha256", "hs2019"), "invalid"},
		"algorithm of no record": {replace(a, "hmac-sha256", "hmac-sha512"), "invalid"},
		"signature of another":   {replace(a, "signature=\"", `signature="AA`), "invalid"},
		"no padding":             {replace(a, `="`+lastOf(a), `="`+strings.TrimSuffix(lastOf(a), "=")), "invalid"},
		"two lines":              {with(line(a), "authorization: "+a), "invalid"},
		"joined":                 {line(a + "," + a), "invalid"},
		"empty":                  {line(""), "invalid"},
	}.run(t, signature.Config{})
}

// lastOf is the signature's text.
func lastOf(line string) string {
	_, text, _ := strings.Cut(line, `signature="`)
	return strings.TrimSuffix(text, `"`)
}

// Strict base64: what decodes is what was encoded. The last digit before the
// padding of 32 bytes has two unused bits.
func TestUnusedBitsOfTheSignature(t *testing.T) {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	b := setUp(t, signature.Config{})
	good := apisix("good").Headers[1].Value
	text := lastOf(good)
	for i := 1; i < 4; i++ {
		last := strings.IndexByte(alphabet, text[42])
		bad := text[:42] + string(alphabet[last^i]) + "="
		if got := b.ask(line(strings.Replace(good, text, bad, 1))); got != "invalid" {
			t.Errorf("bits %02b: got %s", i, got)
		}
	}
	if got := b.ask(line(good)); got != "good" {
		t.Errorf("as it was: got %s", got)
	}
}

func TestURLSafeSignature(t *testing.T) {
	for i := range 100 {
		req := func() *access.Request { return datedAt(time.Duration(i)*time.Second, dateAt) }
		good := req().Headers[1].Value
		bad := strings.NewReplacer("+", "-", "/", "_").Replace(lastOf(good))
		if bad == lastOf(good) {
			continue
		}
		b := setUp(t, signature.Config{})
		if got := b.ask(changed(req(), "authorization", strings.Replace(good, lastOf(good), bad, 1))); got != "invalid" {
			t.Errorf("got %s", got)
		}
		if got := b.ask(req()); got != "good" {
			t.Errorf("as it was: got %s", got)
		}
		return
	}
	t.Fatal("no signature has a byte that is spelt in two ways")
}

func TestWhatIsSigned(t *testing.T) {
	aLine := func(names, text string) string {
		return apisixLine("good", "hmac-sha256", names, "good\n"+text)
	}
	kLine := func(names, text string) string { return kongLine("good", "hmac-sha256", names, text) }
	date, both := "date: "+startDate, "@request-target date"
	const target = "GET /orders?id=1\n"
	edit := func(req *access.Request, f func(*access.Request)) *access.Request { f(req); return req }
	cases{
		"host, as it came": {request(date, aLine(both+" host", target+date+"\nhost: API.example.com:443\n")), "good"},
		"a further header": {request(date, "x-a: 1 , 2", aLine(both+" x-a", target+date+"\nx-a: 1 , 2\n")), "good"},
		"an empty header":  {request(date, "x-a: ", aLine(both+" x-a", target+date+"\nx-a: \n")), "good"},
		"spelt with caps":  {request(date, aLine("@request-target Date", target+"Date: "+startDate+"\n")), "good"},
		"kong, x-date":     {request("x-"+date, kLine("x-date @request-target", "x-"+date+"\n@request-target: get /orders?id=1")), "good"},
		"kong, x-date and another date, not signed":    {request("date: "+dateAt(time.Hour), "x-"+date, kLine("x-date @request-target", "x-"+date+"\n@request-target: get /orders?id=1")), "good"},
		"kong, both dates signed, one of them old":     {request("date: "+dateAt(-time.Hour), "x-"+date, kLine("x-date date @request-target", "x-"+date+"\ndate: "+dateAt(-time.Hour)+"\n@request-target: get /orders?id=1")), "invalid"},
		"kong, request line over HTTP/2":               {edit(request(date, kLine("date request-line", date+"\nGET /orders?id=1 HTTP/2.0")), func(r *access.Request) { r.Protocol = "HTTP/2" }), "good"},
		"kong, request line of an unknown protocol":    {edit(request(date, kLine("date request-line", date+"\nGET /orders?id=1 ")), func(r *access.Request) { r.Protocol = "" }), "invalid"},
		"kong, method in upper case":                   {request(date, kLine("date @request-target", date+"\n@request-target: GET /orders?id=1")), "invalid"},
		"kong, trailing newline":                       {request(date, kLine("date @request-target", date+"\n@request-target: get /orders?id=1\n")), "invalid"},
		"apisix, no trailing newline":                  {request(date, aLine(both, target+date)), "invalid"},
		"apisix, without the key id":                   {request(date, apisixLine("good", "hmac-sha256", both, target+date+"\n")), "invalid"},
		"apisix, method in lower case":                 {request(date, aLine(both, "get /orders?id=1\n"+date+"\n")), "invalid"},
		"apisix, x-date":                               {request("x-"+date, aLine("@request-target x-date", target+"x-"+date+"\n")), "invalid"},
		"apisix, request-line is a header like others": {request(date, "request-line: x", aLine("request-line date", "request-line: x\n"+date+"\n")), "invalid"},

		"sha384":                               {request(date, apisixLine("long", "hmac-sha384", both, "long\n"+target+date+"\n")), "long"},
		"sha512":                               {request(date, kongLine("long", "hmac-sha512", "date @request-target", date+"\n@request-target: get /orders?id=1")), "long"},
		"sha1, where the record names it":      {request(date, apisixLine("old", "hmac-sha1", both, "old\n"+target+date+"\n")), "old"},
		"sha1, where it does not":              {request(date, apisixLine("good", "hmac-sha1", both, "good\n"+target+date+"\n")), "invalid"},
		"sha1, where the record names nothing": {request(date, apisixLine("silent", "hmac-sha1", both, "silent\n"+target+date+"\n")), "invalid"},
		"an algorithm that a record misnames":  {request(date, apisixLine("odd", "hmac-md5", both, "odd\n"+target+date+"\n")), "invalid"},

		"changed method":                  {edit(apisix("good"), func(r *access.Request) { r.Method = "DELETE" }), "invalid"},
		"changed path":                    {edit(apisix("good"), func(r *access.Request) { r.RawPath = "/orders/../admin?id=1" }), "invalid"},
		"changed query":                   {edit(kong("good"), func(r *access.Request) { r.RawPath = "/orders?id=2" }), "invalid"},
		"no query":                        {edit(kong("good"), func(r *access.Request) { r.RawPath = "/orders" }), "invalid"},
		"changed date":                    {changed(apisix("good"), "date", dateAt(time.Second)), "invalid"},
		"no date":                         {without(apisix("good"), "date"), "invalid"},
		"two dates":                       {with(apisix("good"), date), "invalid"},
		"date not signed":                 {request(date, aLine("@request-target", target)), "invalid"},
		"target not signed":               {request(date, aLine("date", date+"\n")), "invalid"},
		"changed header":                  {request(date, "x-a: 2", aLine(both+" x-a", target+date+"\nx-a: 1\n")), "invalid"},
		"missing header":                  {request(date, aLine(both+" x-a", target+date+"\n")), "invalid"},
		"missing header, signed as empty": {request(date, aLine(both+" x-a", target+date+"\nx-a: \n")), "invalid"},
		"header on two lines":             {request(date, "x-a: 1", "x-a: 1", aLine(both+" x-a", target+date+"\nx-a: 1\n")), "invalid"},
		"signed twice":                    {request(date, aLine(both+" date", target+date+"\n"+date+"\n")), "invalid"},
		"signed twice in other case":      {request(date, aLine(both+" DATE", target+date+"\nDATE: "+startDate+"\n")), "invalid"},
		"target twice":                    {request(date, aLine(both+" @request-target", target+date+"\n"+target)), "invalid"},
		"two spaces between":              {request(date, aLine("@request-target  date", target+date+"\n")), "invalid"},
		"space in front":                  {request(date, aLine(" @request-target date", target+date+"\n")), "invalid"},
		"no name of a header":             {request(date, aLine(both+" (created)", target+date+"\n")), "invalid"},
		"target in other case":            {request(date, aLine("@Request-Target date", target+date+"\n")), "invalid"},
		"a line break in a header":        {request(date, "x-a: 1\nx-b: 2", aLine(both+" x-a", target+date+"\nx-a: 1\nx-b: 2\n")), "invalid"},
		"a text like a plain one's":       {request(date, startMs+".n.x: 1", kLine(startMs+".n.x date @request-target", startMs+".n.x: 1\n"+date+"\n@request-target: get /orders?id=1")), "invalid"},
		"a key id like a plain text's":    {apisix(startMs + ".n."), "invalid"},

		"oldest date":             {datedAt(-5*time.Minute, dateAt), "good"},
		"newest date":             {datedAt(5*time.Minute, dateAt), "good"},
		"too old":                 {datedAt(-5*time.Minute-time.Second, dateAt), "invalid"},
		"too new":                 {datedAt(5*time.Minute+time.Second, dateAt), "invalid"},
		"year 1":                  {datedAt(0, func(time.Duration) string { return "Mon, 01 Jan 0001 00:00:00 GMT" }), "invalid"},
		"year 9999":               {datedAt(0, func(time.Duration) string { return "Fri, 31 Dec 9999 23:59:59 GMT" }), "invalid"},
		"another day of the week": {datedAt(0, func(time.Duration) string { return "Mon, 24 Nov 2026 12:00:00 GMT" }), "invalid"},
		"fractions":               {datedAt(0, func(time.Duration) string { return "Tue, 24 Nov 2026 12:00:00.5 GMT" }), "invalid"},
		"another zone":            {datedAt(0, func(time.Duration) string { return "Tue, 24 Nov 2026 12:00:00 UTC" }), "invalid"},
		"RFC 850":                 {datedAt(0, func(time.Duration) string { return "Tuesday, 24-Nov-26 12:00:00 GMT" }), "invalid"},
		"RFC 3339":                {datedAt(0, func(time.Duration) string { return "2026-11-24T12:00:00Z" }), "invalid"},
		"no date at all":          {datedAt(0, func(time.Duration) string { return "" }), "invalid"},
	}.run(t, signature.Config{})
}

// Each of these is rightly signed, all the way to the caps and over them.
func TestCaps(t *testing.T) {
	signing := func(headers, length int) *access.Request {
		req := request("date: " + startDate)
		names, text := "@request-target date", "good\nGET /orders?id=1\ndate: "+startDate+"\n"
		for i := range headers - 2 {
			name := fmt.Sprintf("x-%0*d", length-2, i)
			with(req, name+": 1")
			names, text = names+" "+name, text+name+": 1\n"
		}
		return with(req, apisixLine("good", "hmac-sha256", names, text))
	}
	cases{
		"32 headers":            {signing(32, 8), "good"},
		"33 headers":            {signing(33, 8), "invalid"},
		"under 4 KiB":           {signing(32, 120), "good"},
		"over 4 KiB":            {signing(32, 140), "invalid"},
		"an escape in a key id": {apisix(`back\slash`), "invalid"},
		"the same, plain":       {plain(request(), `back\slash`, startMs, "n"), "back"},
	}.run(t, signature.Config{})
}

// datedAt is an APISIX request, rightly signed, with a date as text writes it.
func datedAt(d time.Duration, text func(time.Duration) string) *access.Request {
	date := "date: " + text(d)
	return request(date, apisixLine("good", "hmac-sha256", "@request-target date", "good\nGET /orders?id=1\n"+date+"\n"))
}

// digested is a POST, rightly signed, whose signature covers the named digest
// headers.
func digested(body string, names string, lines ...string) *access.Request {
	text := "good\nPOST /orders?id=1\ndate: " + startDate + "\n"
	for name := range strings.FieldsSeq(names) {
		for _, l := range lines {
			if strings.HasPrefix(l, name+": ") {
				text += l + "\n"
			}
		}
	}
	req := post(body, append(lines, "date: "+startDate)...)
	return with(req, apisixLine("good", "hmac-sha256", strings.TrimSpace("@request-target date "+names), text))
}

func TestBodyIsCovered(t *testing.T) {
	const body = `{"a":1}`
	sum, empty := digestOf(body), digestOf("")
	long := sha512.Sum512([]byte(body))
	sum512 := b64(long[:])
	good := func() *access.Request { return digested(body, "digest", "digest: SHA-256="+sum) }
	all := cases{
		"digest":                    {good(), "good"},
		"digest in lower case":      {digested(body, "digest", "digest: sha-256="+sum), "good"},
		"content-digest":            {digested(body, "content-digest", "content-digest: sha-256=:"+sum+":"), "good"},
		"both":                      {digested(body, "digest content-digest", "digest: SHA-256="+sum, "content-digest: sha-256=:"+sum+":"), "good"},
		"no body, none needed":      {digested("", ""), "good"},
		"no body, and its digest":   {digested("", "digest", "digest: SHA-256="+empty), "good"},
		"no body, another's digest": {digested("", "digest", "digest: SHA-256="+sum), "invalid"},
		"no digest":                 {digested(body, ""), "invalid"},
		"digest not signed":         {digested(body, "", "digest: SHA-256="+sum), "invalid"},
		"one of two is wrong":       {digested(body, "digest content-digest", "digest: SHA-256="+sum, "content-digest: sha-256=:"+empty+":"), "invalid"},
		"another's digest":          {digested(body, "digest", "digest: SHA-256="+empty), "invalid"},
		"another body":              {edited(good(), func(r *access.Request) { r.Body = []byte(`{"a":2}`) }), "invalid"},
		"cut body":                  {edited(good(), func(r *access.Request) { r.BodyTruncated = true }), "invalid"},
		"body not passed":           {edited(good(), func(r *access.Request) { r.Body = nil }), "invalid"},
		"SHA-1":                     {digested(body, "digest", "digest: SHA="+sum), "invalid"},
		"no algorithm":              {digested(body, "digest", "digest: "+sum), "invalid"},
		"list":                      {digested(body, "digest", "digest: SHA-256="+sum+",SHA-256="+sum), "invalid"},
		"two lines":                 {with(good(), "digest: SHA-256="+sum), "invalid"},
		"no base64":                 {digested(body, "digest", "digest: SHA-256=?"), "invalid"},
		"empty":                     {digested(body, "digest", "digest: SHA-256="), "invalid"},
		"line breaks":               {digested(body, "digest", "digest: SHA-256="+sum[:20]+"\r\n"+sum[20:]), "invalid"},
		"colons in digest":          {digested(body, "digest", "digest: SHA-256=:"+sum+":"), "invalid"},
		"no colons":                 {digested(body, "content-digest", "content-digest: sha-256="+sum), "invalid"},
		"one colon":                 {digested(body, "content-digest", "content-digest: sha-256=:"+sum), "invalid"},
		"content-digest in caps":    {digested(body, "content-digest", "content-digest: SHA-256=:"+sum+":"), "invalid"},
		"a parameter":               {digested(body, "content-digest", "content-digest: sha-256=:"+sum+":;x"), "invalid"},
		"SHA-512":                   {digested(body, "content-digest", "content-digest: sha-512=:"+sum512+":"), "good"},
		"half of SHA-512":           {digested(body, "digest", "digest: SHA-512="+b64(long[:32])), "invalid"},
		"SHA-256 as SHA-512":        {digested(body, "digest", "digest: SHA-512="+sum), "invalid"},
	}
	all.run(t, signature.Config{})
}

func TestDangerousSettings(t *testing.T) {
	const body = `{"a":1}`
	sum := digestOf(body)
	cases{
		"no digest":           {digested(body, ""), "good"},
		"digest not signed":   {digested(body, "", "digest: SHA-256="+digestOf("x")), "good"},
		"signed digest":       {digested(body, "digest", "digest: SHA-256="+sum), "good"},
		"wrong signed digest": {digested(body, "digest", "digest: SHA-256="+digestOf("x")), "invalid"},
		"body not passed":     {edited(digested(body, "digest", "digest: SHA-256="+sum), func(r *access.Request) { r.Body = nil }), "good"},
		"plain, cut body":     {edited(plain(post(body), "good", startMs, "n"), func(r *access.Request) { r.BodyTruncated = true }), "invalid"},
	}.run(t, signature.Config{DangerouslyUnsignedBody: true})
	dateOnly := request("date: "+startDate, apisixLine("good", "hmac-sha256", "date", "good\ndate: "+startDate+"\n"))
	cases{
		"date only": {dateOnly, "good"},
		"no date":   {request("x-a: 1", apisixLine("good", "hmac-sha256", "x-a", "good\nx-a: 1\n")), "invalid"},
	}.run(t, signature.Config{DangerouslyUnsignedTarget: true})
}

func TestRequiredHeaders(t *testing.T) {
	date := "date: " + startDate
	cases{
		"signed":     {request(date, apisixLine("good", "hmac-sha256", "@request-target date HOST", "good\nGET /orders?id=1\n"+date+"\nHOST: API.example.com:443\n")), "good"},
		"not signed": {apisix("good"), "invalid"},
		"plain":      {plain(request(), "good", startMs, "n"), "good"},
	}.run(t, signature.Config{RequiredHeaders: []string{"Host"}})
}

func TestDialectsThatAreNotRead(t *testing.T) {
	all := map[signature.Dialect]func() *access.Request{
		signature.Plain:  func() *access.Request { return plain(request(), "good", startMs, "n") },
		signature.APISIX: func() *access.Request { return apisix("good") },
		signature.Kong:   func() *access.Request { return kong("good") },
	}
	for _, read := range signature.Dialects() {
		for dialect, req := range all {
			want := "none"
			if dialect == read {
				want = "good"
			}
			if got := setUp(t, signature.Config{Dialects: []signature.Dialect{read}}).ask(req()); got != want {
				t.Errorf("%s is read: %s request: got %s, want %s", read, dialect, got, want)
			}
		}
	}
}

func TestClockSkew(t *testing.T) {
	for name, tt := range map[string]struct {
		skew, off time.Duration
		want      string
	}{
		"within a minute":        {time.Minute, time.Minute, "good"},
		"beyond a minute":        {time.Minute, time.Minute + time.Second, "invalid"},
		"more than five minutes": {10 * time.Minute, 9 * time.Minute, "good"},
	} {
		for _, off := range []time.Duration{tt.off, -tt.off} {
			if got := setUp(t, signature.Config{ClockSkew: tt.skew}).ask(datedAt(off, dateAt)); got != tt.want {
				t.Errorf("%s, %s: got %s, want %s", name, off, got, tt.want)
			}
		}
	}
	b := setUp(t, signature.Config{})
	unbounded := signature.New(signature.Config{ClockSkew: 24 * time.Hour}, b.store, b.nonces, b.clock.Now)
	if got := answer(unbounded.Authenticate(context.Background(), datedAt(16*time.Minute, dateAt))); got != "invalid" {
		t.Errorf("an unchecked skew is unbounded: got %s", got)
	}
}

func TestEnvironments(t *testing.T) {
	for name, tt := range map[string]struct {
		believed      []string
		goodIs, devIs string
	}{
		"all":  {nil, "good", "dev"},
		"prod": {[]string{"prod"}, "good", "invalid"},
		"both": {[]string{"dev", "prod"}, "good", "dev"},
	} {
		b := setUp(t, signature.Config{Environments: tt.believed})
		for id, want := range map[string]string{"good": tt.goodIs, "dev": tt.devIs} {
			if got := b.ask(apisix(id)); got != want {
				t.Errorf("%s: got %s, want %s", name, got, want)
			}
		}
	}
}

func TestProofSaysWhoAndWhere(t *testing.T) {
	for want, req := range map[string]*access.Request{"x-api-key": plain(request(), "good", startMs, "n"), "authorization": kong("good")} {
		proof, err := setUp(t, signature.Config{}).Authenticate(context.Background(), req)
		if err != nil {
			t.Fatal(err)
		}
		id := proof.Identity
		if got := fmt.Sprint(id.Consumer.Name, id.Credential.ID, id.Scopes, id.Roles, id.Groups); got != fmt.Sprint("app", "good", []string{"orders:read"}, []string{"reader"}, []string{"premium"}) {
			t.Errorf("got %s", got)
		}
		if (proof.From != access.Location{Header: want}) {
			t.Errorf("from %+v, want %s", proof.From, want)
		}
	}
}

// Expired is said only to who proved the credential.
func TestExpiry(t *testing.T) {
	b := setUp(t, signature.Config{})
	b.clock.pass(10*time.Second - 1)
	if got := b.ask(apisix("ending")); got != "ending" {
		t.Fatalf("got %s", got)
	}
	b.clock.pass(1)
	if got := b.ask(kong("ending")); got != "expired" {
		t.Errorf("at its end: got %s", got)
	}
	if got := b.ask(changed(kong("ending"), "date", dateAt(time.Second))); got != "invalid" {
		t.Errorf("badly signed: got %s", got)
	}
}

func TestStoreFailureIsAFault(t *testing.T) {
	b := setUp(t, signature.Config{})
	b.store.err = errors.New("store is down")
	if got := b.ask(apisix("good")); got != "fault" {
		t.Fatalf("got %s", got)
	}
	b.store.err = nil
	if got := b.ask(apisix("good")); got != "good" {
		t.Errorf("afterwards: got %s", got)
	}
}

// What can't be read never reaches the store.
func TestMalformedNeverReachesTheStore(t *testing.T) {
	b := setUp(t, signature.Config{})
	for _, req := range []*access.Request{
		line("Signature"), line("Signature x"), changed(apisix("good"), "date", "x"), datedAt(time.Hour, dateAt),
		plain(request(), strings.Repeat("k", 257), startMs, "n"), plain(request(), "", startMs, "n"), plain(request(), "good", startMs, "a.b"),
	} {
		if got := b.ask(req); got != "invalid" {
			t.Errorf("got %s", got)
		}
	}
	if b.store.finds.Load() != 0 {
		t.Error("the store was asked")
	}
}

func TestNoSecretInErrorsOrNotes(t *testing.T) {
	const canary = "canary-7f3a"
	for name, req := range map[string]*access.Request{
		"plain":            plain(request(), "good", startMs, "n"),
		"replayed":         plain(request(), "good", startMs, "n"),
		"key as id":        plain(request(), canary, startMs, "n"),
		"nonce":            plain(request(), "good", startMs, canary+","),
		"signature":        changed(plain(request(), "good", startMs, "m"), "x-signature", canary),
		"apisix":           apisix(canary),
		"parameter":        line(`Signature ` + canary + `="` + canary + `"`),
		"junk":             line("hmac " + canary),
		"name of a header": line(`hmac username="a", algorithm="hmac-sha256", headers="` + canary + `(", signature="AAAA"`),
		"date":             changed(apisix("good"), "date", canary),
		"digest":           digested("x", "digest", "digest: "+canary),
	} {
		b := setUp(t, signature.Config{})
		req.Explain = &access.Explanation{}
		if name == "replayed" {
			b.ask(req)
			req.Explain = &access.Explanation{}
		}
		_, err := b.Authenticate(context.Background(), req)
		if len(req.Explain.Steps) != 1 || req.Explain.Steps[0].Stop != "authenticate" {
			t.Fatalf("%s: steps: %+v", name, req.Explain.Steps)
		}
		text := fmt.Sprint(err, req.Explain.Steps)
		for _, s := range []string{canary, secret, req.Headers[len(req.Headers)-1].Value} {
			if strings.Contains(text, s) {
				t.Errorf("%s: %q is in %q", name, s, text)
			}
		}
	}
}

func TestKindAndChallenge(t *testing.T) {
	for realm, want := range map[string]string{"api": `Signature realm="api"`, `the "api" \o`: `Signature realm="the \"api\" \\o"`} {
		b := setUp(t, signature.Config{Realm: realm})
		if b.Kind() != access.KindSignature || b.Challenge(true) != want || b.Challenge(false) != want {
			t.Errorf("got %s, want %s", b.Challenge(true), want)
		}
	}
}

func TestCheckTellsEverything(t *testing.T) {
	if err := (signature.Config{}).Check(); err != nil {
		t.Error(err)
	}
	err := signature.Config{
		Dialects: []signature.Dialect{"aws"}, DangerouslyRepeatable: []signature.Dialect{signature.Plain, "kong2"},
		ClockSkew: time.Hour, RequiredHeaders: []string{"x y"},
	}.Check()
	for _, part := range []string{`"aws"`, `"kong2"`, "plain dialect", "1h0m0s", `"x y"`} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not in %v", part, err)
		}
	}
}

func TestIsPlain(t *testing.T) {
	for want, h := range map[bool]access.Headers{true: {{Name: "x-signature"}}, false: {{Name: "x-api-key", Value: "a"}, {Name: "x_signature", Value: "a"}}} {
		if signature.IsPlain(h) != want {
			t.Errorf("%v: %v", h, !want)
		}
	}
}
