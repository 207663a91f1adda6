package consumer_test

import (
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// Two records that differ in anything have different sums, also where a text
// only moves from one field to the next.
func TestAuditSum(t *testing.T) {
	at := time.Date(2026, 11, 24, 12, 0, 0, 1000, time.UTC)
	record := consumer.AuditRecord{Number: 1, Sequence: 2, At: at, Author: consumer.Author{Name: "a", Address: "b"}, Action: "create", Kind: "consumer", Target: "t", Before: "b", After: "a", Reason: "r", Previous: "p"}
	seen := map[string]bool{record.Sum(): true}
	for i, change := range []func(*consumer.AuditRecord){
		func(a *consumer.AuditRecord) { a.Number = 12; a.Sequence = 0 },
		func(a *consumer.AuditRecord) { a.Sequence++ },
		func(a *consumer.AuditRecord) { a.At = at.Add(time.Microsecond) },
		func(a *consumer.AuditRecord) { a.Author.Name, a.Author.Address = "ab", "" },
		func(a *consumer.AuditRecord) { a.Action += "d" },
		func(a *consumer.AuditRecord) { a.Kind = "plan" },
		func(a *consumer.AuditRecord) { a.Target = "u" },
		func(a *consumer.AuditRecord) { a.Before, a.After = a.After, a.Before },
		func(a *consumer.AuditRecord) { a.After, a.Reason = "", "ar" },
		func(a *consumer.AuditRecord) { a.Previous = "" },
	} {
		changed := record
		change(&changed)
		if seen[changed.Sum()] {
			t.Errorf("change %d is not seen", i)
		}
		seen[changed.Sum()] = true
	}
	same := record
	same.At, same.Hash = at.Add(999).In(time.FixedZone("x", 3600)), "h"
	if same.Sum() != record.Sum() {
		t.Error("the zone, what no store keeps of the time, or the hash itself counts")
	}
}
