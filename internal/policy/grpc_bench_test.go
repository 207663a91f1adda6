package policy_test

import (
	"strings"
	"testing"
)

// BenchmarkGRPCBody measures what a policy pays for a message, and what the worst
// that a client may send costs until it is refused or told.
func BenchmarkGRPCBody(b *testing.B) {
	s := rules(b, "allow if input.parsed_body.id == \"7\"", described(b))
	most := 4<<20 - 64
	for name, message := range map[string]string{
		"usual":              textField(1, "7") + numberField(2, 100) + textField(11, "Seoul"),
		"values to the most": strings.Repeat(textField(12, ""), 99_000),
		"values beyond":      strings.Repeat(textField(12, ""), most/2),
		"Anys in Anys":       packedAnys(48, ""),
		"4 MiB in 5 Anys":    packedAnys(5, textField(9, strings.Repeat("x", most-8192))),
		"4 MiB in 48 Anys":   packedAnys(48, textField(9, strings.Repeat("x", most-8192))),
	} {
		q := grpcQuestion(place, framed(message))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.Decide(b.Context(), q)
			}
		})
	}
}
