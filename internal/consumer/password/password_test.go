package password_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer/password"
)

// Hashes that other programs made: bcrypt by libxcrypt's crypt(3), argon2id by
// the reference implementation's own test (phc-winner-argon2, src/test.c), the
// SHA-1 by Python's hashlib.
const (
	bcryptB = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
	bcryptY = "$2y$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2"
	bcryptA = "$2a$05$abcdefghijklmnopqrstuuHNbAKRhpaujgo33bRWs.NLUTJO3lOy2"
	// bcryptLong is of 72 characters, by golang.org/x/crypto.
	bcryptLong = "$2a$04$bcx0CRPu90gaotvC1YcBI.5xBRj27UJpbF7fCdZIBuSO.BnSTnaZ2"
	argonOther = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"
	kongOther  = "$kong$4f1ad8a7-9a5c-4d7e-8f5e-0f0d5a3f9a11$e28e4f61e11378896390331305da93e8ccfd036d"
	horse      = "correct horse"
)

var seventyTwo = strings.Repeat("0123456789", 7) + "xy"

func TestVerify(t *testing.T) {
	for name, tt := range map[string]struct {
		hash, password string
		want           bool
	}{
		"2b":                         {bcryptB, horse, true},
		"2y":                         {bcryptY, horse, true},
		"2a":                         {bcryptA, horse, true},
		"bcrypt, another":            {bcryptB, "correct horsf", false},
		"bcrypt, a part":             {bcryptB, "correct hors", false},
		"bcrypt, more":               {bcryptB, "correct horse ", false},
		"bcrypt, repeated after NUL": {bcryptB, horse + "\x00" + horse, false},
		"bcrypt, NUL after":          {bcryptB, horse + "\x00", false},
		"bcrypt, empty":              {bcryptB, "", false},
		"bcrypt, 72 bytes":           {bcryptLong, seventyTwo, true},
		"bcrypt, 73 bytes":           {bcryptLong, seventyTwo + "z", false},
		"bcrypt, 72 NUL-ended":       {bcryptLong, seventyTwo + "\x00", false},
		"bcrypt, much longer":        {bcryptLong, seventyTwo + strings.Repeat("z", 1<<16), false},
		"argon2id":                   {argonOther, "password", true},
		"argon2id, another":          {argonOther, "differentpassword", false},
		"argon2id, empty":            {argonOther, "", false},
		"Kong":                       {kongOther, "demo-password", true},
		"Kong, another":              {kongOther, "demo-passwore", false},
		"Kong, the id moved over":    {kongOther, "demo-password4f1ad8a7-9a5c-4d7e-8f5e-0f0d5a3f9a11", false},
		"dummy":                      {string(password.Dummy().Reveal()), "", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := password.Verify(access.NewSecret(tt.hash), []byte(tt.password))
			if err != nil || got != tt.want {
				t.Errorf("got %v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	argon := func(parameters string) string {
		return "$argon2id$v=19$" + parameters + "$c29tZXNhbHQ$" + strings.Repeat("A", 43)
	}
	const tagged = "$argon2id$v=19$m=64,t=1,p=1$"
	for name, tt := range map[string]struct{ text, want string }{
		"empty":             {"", "expected a hash that begins with $argon2id$, $2a$, $2b$, $2y$ or $kong$"},
		"a password":        {"canary-password", "expected a hash that begins with $argon2id$, $2a$, $2b$, $2y$ or $kong$"},
		"md5crypt":          {"$1$canary$canary", "expected a hash that begins with $argon2id$, $2a$, $2b$, $2y$ or $kong$"},
		"argon2i":           {strings.Replace(argonOther, "2id", "2i", 1), "expected a hash that begins with $argon2id$, $2a$, $2b$, $2y$ or $kong$"},
		"2x":                {"$2x$" + bcryptB[4:], "expected a hash that begins with $argon2id$, $2a$, $2b$, $2y$ or $kong$"},
		"long":              {argonOther + strings.Repeat("A", 1<<20), "is longer than any hash"},
		"no version":        {strings.Replace(argonOther, "v=19$", "", 1), "expected $argon2id$v=19$m=KIB,t=PASSES,p=THREADS$SALT$TAG"},
		"old version":       {strings.Replace(argonOther, "v=19", "v=16", 1), "expected $argon2id$v=19$m=KIB,t=PASSES,p=THREADS$SALT$TAG"},
		"a part too many":   {argonOther + "$", "expected $argon2id$v=19$m=KIB,t=PASSES,p=THREADS$SALT$TAG"},
		"two parameters":    {argon("m=64,t=1"), "expected the three parameters m=KIB,t=PASSES,p=THREADS"},
		"four parameters":   {argon("m=64,t=1,p=1,x=1"), "expected the three parameters m=KIB,t=PASSES,p=THREADS"},
		"out of order":      {argon("t=1,m=64,p=1"), "expected the parameter m to be 1 to 65536"},
		"memory bomb":       {argon("m=65537,t=1,p=1"), "expected the parameter m to be 1 to 65536"},
		"memory overflow":   {argon("m=4294967296,t=1,p=1"), "expected the parameter m to be 1 to 65536"},
		"negative":          {argon("m=-1,t=1,p=1"), "expected the parameter m to be 1 to 65536"},
		"leading zero":      {argon("m=064,t=1,p=1"), "expected the parameter m to be 1 to 65536"},
		"plus":              {argon("m=+64,t=1,p=1"), "expected the parameter m to be 1 to 65536"},
		"no passes":         {argon("m=64,t=0,p=1"), "expected the parameter t to be 1 to 10"},
		"many passes":       {argon("m=64,t=11,p=1"), "expected the parameter t to be 1 to 10"},
		"no threads":        {argon("m=64,t=1,p=0"), "expected the parameter p to be 1 to 4"},
		"many threads":      {argon("m=64,t=1,p=5"), "expected the parameter p to be 1 to 4"},
		"too little memory": {argon("m=31,t=1,p=4"), "expected the parameter m to be at least 8 times p"},
		"all at most":       {argon("m=65536,t=10,p=4"), "asks for too much work: expected m times t to be at most 262144"},
		"short salt":        {tagged + "c2FsdA$" + strings.Repeat("A", 43), "expected the salt to be 8 to 64 bytes in base64 without padding"},
		"salt with padding": {tagged + "c29tZXNhbHQ=$" + strings.Repeat("A", 43), "expected the salt to be 8 to 64 bytes in base64 without padding"},
		"salt unused bits":  {tagged + "c29tZXNhbHR$" + strings.Repeat("A", 43), "expected the salt to be 8 to 64 bytes in base64 without padding"},
		"salt line break":   {tagged + "c29tZX\nNhbHQ$" + strings.Repeat("A", 43), "expected the salt to be 8 to 64 bytes in base64 without padding"},
		"short tag":         {tagged + "c29tZXNhbHQ$AAAA", "expected the tag to be 16 to 64 bytes in base64 without padding"},
		"no tag":            {tagged + "c29tZXNhbHQ$", "expected the tag to be 16 to 64 bytes in base64 without padding"},
		"bcrypt cut":        {bcryptB[:59], "expected a bcrypt hash of 60 characters, such as $2b$12$ and 53 of ./A-Za-z0-9"},
		"bcrypt longer":     {bcryptB + "\n", "expected a bcrypt hash of 60 characters, such as $2b$12$ and 53 of ./A-Za-z0-9"},
		"bcrypt tag's bits": {bcryptB[:59] + "f", "expected a bcrypt hash of 60 characters, such as $2b$12$ and 53 of ./A-Za-z0-9"},
		"bcrypt cost 3":     {"$2b$03" + bcryptB[6:], "expected a bcrypt cost of 04 to 14"},
		"bcrypt cost 15":    {"$2b$15" + bcryptB[6:], "expected a bcrypt cost of 04 to 14"},
		"bcrypt cost 31":    {"$2b$31" + bcryptB[6:], "expected a bcrypt cost of 04 to 14"},
		"bcrypt cost 00":    {"$2b$00" + bcryptB[6:], "expected a bcrypt cost of 04 to 14"},
		"Kong without id":   {"$kong$$" + kongOther[43:], "expected $kong$CONSUMER_ID$ and the SHA-1 as 40 hex digits in lower case"},
		"Kong cut":          {kongOther[:len(kongOther)-1], "expected $kong$CONSUMER_ID$ and the SHA-1 as 40 hex digits in lower case"},
		"Kong upper case":   {strings.ToUpper(kongOther), "expected a hash that begins with $argon2id$, $2a$, $2b$, $2y$ or $kong$"},
	} {
		t.Run(name, func(t *testing.T) {
			err := password.Check(tt.text)
			if err == nil || err.Error() != tt.want {
				t.Errorf("got %v; want %s", err, tt.want)
			}
			if _, again := password.Verify(access.NewSecret(tt.text), nil); again == nil {
				t.Error("verified all the same")
			}
		})
	}
}

func TestNewHash(t *testing.T) {
	hash, err := password.New([]byte(horse), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text := string(hash.Reveal())
	if !strings.HasPrefix(text, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("a new hash is %s", text)
	}
	// Another tag than this would leave every hash from before worthless.
	known, err := password.New([]byte(horse), strings.NewReader("somesalt01234567"))
	if want := "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQwMTIzNDU2Nw$5+LRClQrSvyRdEOUnAWRhqu811YzfngnjoiEgglVXqs"; err != nil || string(known.Reveal()) != want {
		t.Errorf("got %s, %v", known.Reveal(), err)
	}
	for candidate, want := range map[string]bool{horse: true, horse + "x": false} {
		if ok, err := password.Verify(hash, []byte(candidate)); err != nil || ok != want {
			t.Errorf("%q: %v, %v", candidate, ok, err)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ password, random string }{
		"short":                 {"1234567", "somesalt01234567"},
		"empty":                 {"", "somesalt01234567"},
		"long":                  {strings.Repeat("x", 513), "somesalt01234567"},
		"too little randomness": {horse, "somesalt0123456"},
	} {
		if _, err := password.New([]byte(tt.password), strings.NewReader(tt.random)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// A decoy is well formed and asks for the work of what it stands for: a
// malformed one would answer in no time.
func TestDecoysWorkAsTheirHashesDo(t *testing.T) {
	dummy := string(password.Dummy().Reveal())
	for hash, want := range map[string]string{
		argonOther: "$argon2id$v=19$m=65536,t=2,p=1$AAAAAAAAAAA$" + strings.Repeat("A", 43),
		bcryptB:    "$2b$04$" + strings.Repeat(".", 53),
		bcryptA:    "$2a$05$" + strings.Repeat(".", 53),
		kongOther:  dummy,
		dummy:      dummy,
	} {
		parsed, err := password.Parse(hash)
		if err != nil {
			t.Fatal(err)
		}
		decoy := string(parsed.Decoy().Reveal())
		if decoy != want {
			t.Errorf("the decoy of %s is %s", hash, decoy)
		}
		if err := password.Check(decoy); err != nil {
			t.Errorf("%s: %v", decoy, err)
		}
	}
	if !strings.HasPrefix(dummy, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the dummy is %s", dummy)
	}
}

func TestHasherRemembers(t *testing.T) {
	h, err := password.NewHasher(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	hash := func(owner, text string) string {
		s, err := h.Hash(owner, text)
		if err != nil {
			t.Fatal(err)
		}
		return string(s.Reveal())
	}
	first := hash("a", horse)
	if hash("a", horse) != first {
		t.Error("hashed again")
	}
	if ok, err := password.Verify(access.NewSecret(first), []byte(horse)); !ok || err != nil {
		t.Errorf("its hash does not verify: %v", err)
	}
	others := map[string]bool{first: true}
	for _, pair := range [][2]string{{"b", horse}, {"a", horse + "2"}, {"ac", horse[1:]}, {"", "a" + horse}} {
		others[hash(pair[0], pair[1])] = true
	}
	if len(others) != 5 {
		t.Errorf("%d hashes of 5 pairs", len(others))
	}
	if _, err := h.Hash("a", "short"); err == nil {
		t.Error("no error")
	}
	if _, err := password.NewHasher(bytes.NewReader(nil)); err == nil {
		t.Error("no error without randomness")
	}
}

func TestHasherForgetsBeyondItsBound(t *testing.T) {
	h, err := password.NewHasher(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if got := h.Fill(password.MaxRemembered + 10); got != password.MaxRemembered {
		t.Errorf("%d are remembered", got)
	}
}

func TestHasherIsSharedSafely(t *testing.T) {
	h, err := password.NewHasher(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			if _, err := h.Hash(fmt.Sprint(i%2), horse); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// What parses is within the bounds, and so is its decoy.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{bcryptA, bcryptB, bcryptY, bcryptLong, argonOther, kongOther, "$argon2id$v=19$m=65536,t=4,p=4$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA", "$argon2id$v=19$m=65536,t=5,p=4$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAA"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hash, err := password.Parse(text)
		if (hash == nil) == (err == nil) {
			t.Fatalf("got %v and %v", hash, err)
		}
		if err == nil && password.Check(string(hash.Decoy().Reveal())) != nil {
			t.Fatalf("the decoy of %q is malformed", text)
		}
	})
}

func BenchmarkVerifyNew(b *testing.B) {
	dummy := password.Dummy()
	b.ReportAllocs()
	for b.Loop() {
		_, _ = password.Verify(dummy, []byte(horse))
	}
}
