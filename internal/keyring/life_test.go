package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/keyring"
)

func TestRotate(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.app(t, "a")
	end := start.Add(10 * 24 * time.Hour)
	for name, c := range map[string]struct {
		end      time.Time
		rotation keyring.Rotation
		old, new time.Time
	}{
		"by default":           {time.Time{}, keyring.Rotation{}, start.Add(30 * 24 * time.Hour), time.Time{}},
		"a life that is short": {end, keyring.Rotation{}, end, end},
		"a short grace":        {end, keyring.Rotation{Grace: new(time.Hour)}, start.Add(time.Hour), end},
		"no grace":             {end, keyring.Rotation{Grace: new(time.Duration(0))}, start, end},
		"another end":          {end, keyring.Rotation{ExpiresAt: start.Add(time.Minute)}, end, start.Add(time.Minute)},
	} {
		old := h.key(t, "a", rules.Credential{ExpiresAt: c.end, Scopes: []string{"s"}, Label: "l", Constraints: &rules.Constraints{Methods: []string{"GET"}}})
		issued, err := h.Rotate(ctx, ops, old.ID, c.rotation)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		was, err := h.Credential(ctx, old.ID)
		if err != nil || !was.ExpiresAt.Equal(c.old) || was.ReplacedBy != issued.ID {
			t.Errorf("%s: the old key is %+v, %v; want it to end at %s", name, was, err, c.old)
		}
		now, err := h.Credential(ctx, issued.ID)
		if err != nil || !now.ExpiresAt.Equal(c.new) || now.Replaces != old.ID || !cmp.Equal(now.Scopes, old.Scopes) || now.Label != "l" || !cmp.Equal(now.Constraints.Methods, old.Constraints.Methods) {
			t.Errorf("%s: the new key is %+v, %v", name, now, err)
		}
		if !h.counts(t, issued.Key) || h.counts(t, old.Key) == c.old.Equal(start) {
			t.Errorf("%s: the keys count otherwise", name)
		}
	}
}

func TestWhatCantBeRotated(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.app(t, "a")
	newKey := func(c rules.Credential) string { return h.key(t, "a", c).ID }
	revoked, rotated, disabled, expired := newKey(rules.Credential{}), newKey(rules.Credential{}), newKey(rules.Credential{}), newKey(rules.Credential{ExpiresAt: start.Add(time.Minute)})
	_, _, err1 := h.Revoke(ctx, ops, revoked, keyring.Revocation{Reason: "leaked"})
	_, err2 := h.Rotate(ctx, ops, rotated, keyring.Rotation{})
	_, _, err3 := h.DisableCredential(ctx, ops, disabled, 0)
	issuer, err4 := h.CreateCredential(ctx, ops, "a", rules.Credential{Kind: access.KindIssuer, Issuer: "i", Value: "v"})
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		t.Fatal(err)
	}
	h.clock.pass(time.Minute)
	for name, id := range map[string]string{"revoked": revoked, "rotated": rotated, "disabled": disabled, "expired": expired, "no key": issuer.ID} {
		if _, err := h.Rotate(ctx, ops, id, keyring.Rotation{}); !errors.Is(err, keyring.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := h.Rotate(ctx, ops, newKey(rules.Credential{}), keyring.Rotation{Version: 7}); !errors.Is(err, consumer.ErrVersion) {
		t.Errorf("another version: %v", err)
	}
	if _, err := h.Rotate(ctx, ops, newKey(rules.Credential{}), keyring.Rotation{Grace: new(-time.Hour)}); !errors.As(err, new(*keyring.Invalid)) {
		t.Errorf("a grace in the past: %v", err)
	}
}

func TestOneOfManyRotationsWins(t *testing.T) {
	h := open(t)
	h.app(t, "a")
	id := h.key(t, "a", rules.Credential{}).ID
	var wait sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wait.Go(func() { _, errs[i] = h.Rotate(context.Background(), ops, id, keyring.Rotation{}) })
	}
	wait.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, keyring.ErrState) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d rotations of one key", won)
	}
}

func TestRevokeIsFinal(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.app(t, "a")
	issued := h.key(t, "a", rules.Credential{})
	c, receipt, err := h.Revoke(ctx, ops, issued.ID, keyring.Revocation{Reason: "leaked"})
	if err != nil || c.RevokedReason != "leaked" || !receipt.Complete || receipt.Sequence <= issued.Sequence || h.counts(t, issued.Key) {
		t.Fatalf("%+v, %+v, %v", c, receipt, err)
	}
	again, second, err := h.Revoke(ctx, ops, issued.ID, keyring.Revocation{Reason: "other"})
	if err != nil || again.RevokedReason != "leaked" || second.Sequence != receipt.Sequence {
		t.Errorf("again: %+v, %+v, %v", again, second, err)
	}
	if _, _, err := h.EnableCredential(ctx, ops, issued.ID, 0); !errors.Is(err, keyring.ErrState) {
		t.Errorf("enabled: %v", err)
	}
	if _, _, err := h.UpdateCredential(ctx, ops, issued.ID, 0, func(*keyring.Settings) error { return nil }); !errors.Is(err, keyring.ErrState) {
		t.Errorf("updated: %v", err)
	}
	last := audit(t, h)
	if a := last[len(last)-1]; a.Action != "revoke" || a.Reason != "leaked" || a.Target != issued.ID {
		t.Errorf("noted %+v", a)
	}
}

func TestReceipts(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.app(t, "a")
	beat := func(id string, applied consumer.Sequence) {
		if err := h.ledger.Beat(ctx, consumer.Instance{ID: id, Name: "name of " + id, Applied: applied, StartedAt: start}); err != nil {
			t.Fatal(err)
		}
	}
	beat("quick", 1<<40)
	beat("slow", 0)
	first := h.key(t, "a", rules.Credential{})
	_, receipt, err := h.Revoke(ctx, ops, first.ID, keyring.Revocation{})
	if err != nil || receipt.Complete || len(receipt.Instances) != 2 {
		t.Fatalf("%+v, %v", receipt, err)
	}
	for _, i := range receipt.Instances {
		if i.Done != (i.ID == "quick") || i.Name != "name of "+i.ID {
			t.Errorf("%+v", i)
		}
	}
	done := make(chan *keyring.Receipt)
	go func() { done <- h.Await(ctx, receipt.Sequence, time.Minute) }()
	beat("slow", receipt.Sequence)
	if r := <-done; !r.Complete || len(r.Instances) != 2 {
		t.Errorf("once it has applied it: %+v", r)
	}
	beat("slow", 0)
	go func() { done <- h.Await(ctx, receipt.Sequence, time.Minute) }()
	if err := h.ledger.Leave(ctx, "slow"); err != nil {
		t.Fatal(err)
	}
	if r := <-done; !r.Complete {
		t.Errorf("once it has left: %+v", r)
	}
}

// TestReceiptsNameTheSilent: an instance that is cut off may let through what it
// remembers, so that a receipt names it, but nobody waits for it.
func TestReceiptsNameTheSilent(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.app(t, "a")
	beat := func(id string) {
		if err := h.ledger.Beat(ctx, consumer.Instance{ID: id, Name: id, Applied: 1 << 40, StartedAt: start}); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.ledger.Beat(ctx, consumer.Instance{ID: "cut off", Name: "cut off", StartedAt: start}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		passes   time.Duration
		complete bool
		named    int
	}{{30 * time.Second, false, 2}, {5 * time.Minute, true, 1}} {
		h.clock.pass(c.passes)
		beat("live")
		issued := h.key(t, "a", rules.Credential{})
		_, r, err := h.Revoke(ctx, ops, issued.ID, keyring.Revocation{Wait: time.Minute})
		if err != nil || r.Complete != c.complete || len(r.Instances) != c.named {
			t.Errorf("after %s: %+v, %v", c.passes, r, err)
		}
	}
}

// TestLife holds what no order of changes may break: a rotation never extends a
// life, what was revoked never counts again, and of a key and all that came
// after it at most one is active.
func TestLife(t *testing.T) {
	h, trial := open(t), 0
	rapid.Check(t, func(r *rapid.T) {
		trial++
		name := fmt.Sprintf("life-%d", trial)
		h.app(t, name)
		l := &life{house: h, t: t, r: r}
		l.all = append(l.all, h.key(t, name, rules.Credential{ExpiresAt: h.clock.Now().Add(l.days("life", 1, 90))}))
		for range rapid.IntRange(1, 12).Draw(r, "steps") {
			l.step()
			l.check()
		}
	})
}

// life is a key with its successors.
type life struct {
	*house
	t       *testing.T
	r       *rapid.T
	all     []*keyring.Issued
	revoked []access.Secret
}

func (l *life) days(name string, least, most int) time.Duration {
	return time.Duration(rapid.IntRange(least, most).Draw(l.r, name)) * 24 * time.Hour
}

func (l *life) step() {
	ctx, one := l.t.Context(), rapid.SampledFrom(l.all).Draw(l.r, "key")
	was, err := l.Credential(ctx, one.ID)
	if err != nil {
		l.r.Fatal(err)
	}
	switch rapid.SampledFrom([]string{"rotate", "rotate", "revoke", "disable", "enable", "pass"}).Draw(l.r, "what") {
	case "rotate":
		grace := l.days("grace", 0, 60)
		issued, err := l.Rotate(ctx, ops, one.ID, keyring.Rotation{Grace: &grace})
		if err == nil {
			l.all = append(l.all, issued)
			l.extends(was, issued)
		} else if !errors.Is(err, keyring.ErrState) {
			l.r.Fatal(err)
		}
	case "revoke":
		if _, _, err := l.Revoke(ctx, ops, one.ID, keyring.Revocation{}); err != nil {
			l.r.Fatal(err)
		}
		l.revoked = append(l.revoked, one.Key)
	case "disable":
		_, _, err = l.DisableCredential(ctx, ops, one.ID, 0)
	case "enable":
		_, _, err = l.EnableCredential(ctx, ops, one.ID, 0)
	case "pass":
		l.clock.pass(l.days("days", 1, 20))
	}
	if err != nil && !errors.Is(err, keyring.ErrState) {
		l.r.Fatal(err)
	}
}

// extends fails when either key of a rotation lives longer than the old one.
func (l *life) extends(was *consumer.CredentialRecord, issued *keyring.Issued) {
	now, err := l.Credential(l.t.Context(), was.ID)
	if err != nil || now.ExpiresAt.After(was.ExpiresAt) || issued.ExpiresAt.After(was.ExpiresAt) || issued.ExpiresAt.IsZero() || now.ExpiresAt.IsZero() {
		l.r.Fatalf("a life of %s became %s and %s: %v", was.ExpiresAt, now.ExpiresAt, issued.ExpiresAt, err)
	}
}

func (l *life) check() {
	active := 0
	for _, one := range l.all {
		c, err := l.Credential(l.t.Context(), one.ID)
		if err != nil {
			l.r.Fatal(err)
		}
		if c.Status(l.clock.Now()) == consumer.StatusActive {
			active++
		}
	}
	if active > 1 {
		l.r.Fatalf("%d keys of one life are active", active)
	}
	for _, key := range l.revoked {
		if l.counts(l.t, key) {
			l.r.Fatal("a revoked key counts")
		}
	}
}

// An end that lies at the epoch, which a database might keep as none, is an end.
func TestAnEndAtTheEpochIsOne(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.app(t, "a")
	issued := h.key(t, "a", rules.Credential{})
	for _, end := range []time.Time{time.Unix(0, 0), time.Unix(0, 100), time.Unix(-1, 0)} {
		if _, _, err := h.UpdateCredential(ctx, ops, issued.ID, 0, func(s *keyring.Settings) error { s.ExpiresAt = end; return nil }); err != nil {
			t.Fatal(err)
		}
		if c, err := h.Credential(ctx, issued.ID); err != nil || c.Status(start) != consumer.StatusExpired || h.counts(t, issued.Key) {
			t.Errorf("%s: %+v, %v", end, c, err)
		}
	}
}

// A key that another has replaced may end sooner, but not later: whoever rotated
// it was told when it ends.
func TestARotatedKeyIsNotBroughtBack(t *testing.T) {
	h, ctx := open(t), t.Context()
	h.app(t, "a")
	old := h.key(t, "a", rules.Credential{})
	if _, err := h.Rotate(ctx, ops, old.ID, keyring.Rotation{Grace: new(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	ends := func(at time.Time) error {
		_, _, err := h.UpdateCredential(ctx, ops, old.ID, 0, func(s *keyring.Settings) error { s.ExpiresAt = at; return nil })
		return err
	}
	for name, at := range map[string]time.Time{"never": {}, "later": start.Add(2 * time.Hour)} {
		if err := ends(at); !errors.Is(err, keyring.ErrState) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := errors.Join(ends(start.Add(time.Hour)), ends(start.Add(time.Minute))); err != nil {
		t.Errorf("as it is, and sooner: %v", err)
	}
	h.clock.pass(time.Minute)
	if err := ends(time.Time{}); !errors.Is(err, keyring.ErrState) || h.counts(t, old.Key) {
		t.Errorf("after its end: %v", err)
	}
}
