package bearer

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func TestRememberedTokenAllocatesNothing(t *testing.T) {
	a := New(demoConfig(), demoIssuers(t), demoRecords(), openCache(t, 1<<20, noon), "r1", noon)
	for name, token := range map[string]string{
		"proven":  rs(rsHead, shop("")),
		"expired": hs(hsHead, `{"iss":"mobile-issuer","exp":1}`),
	} {
		req := request(token)
		once := func() { _, _ = a.Authenticate(context.Background(), req) }
		// Ristretto takes an entry a moment after it is put.
		eventually(t, name+" is remembered without allocation", func() bool { return testing.AllocsPerRun(100, once) < 1 })
	}
}

// TestRow16NoWork: what can't be a token by its length or its dots is refused
// without a byte of memory beyond the answer's.
func TestRow16NoWork(t *testing.T) {
	a := demo(t)
	for name, token := range map[string]string{"dots": strings.Repeat(".", 1<<20), "long": strings.Repeat("a", 1<<20)} {
		req := request(token)
		if n := testing.AllocsPerRun(10, func() { _, _ = a.Authenticate(context.Background(), req) }); n > 4 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// BenchmarkCachedHit is a token that was proven before.
func BenchmarkCachedHit(b *testing.B) {
	a := New(demoConfig(), demoIssuers(b), demoRecords(), openCache(b, 1<<20, noon), "r1", noon)
	req := request(rs(rsHead, shop(`,"realm_access":{"roles":["offline","reader"]},"scope":"openid orders:read"`)))
	for range 100 {
		_, _ = a.Authenticate(context.Background(), req)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Authenticate(context.Background(), req); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEveryTokenNew proves tokens that were never seen.
func BenchmarkEveryTokenNew(b *testing.B) {
	a := New(demoConfig(), demoIssuers(b), demoRecords(), openCache(b, 1<<20, noon), "r1", noon)
	tokens := make([]string, 512)
	for i := range tokens {
		tokens[i] = rs(rsHead, shop(fmt.Sprintf(`,"jti":"%d","realm_access":{"roles":["offline","reader"]},"scope":"openid orders:read"`, i)))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%len(tokens) == 0 {
			a.cache.ForgetAll()
		}
		if _, err := ask(a, tokens[i%len(tokens)]); err != nil {
			b.Fatal(err)
		}
	}
}
