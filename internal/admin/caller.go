package admin

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// caller is who calls, and what a call's headers ask for.
type caller struct {
	author consumer.Author
	role   Role
	conditions
}

// conditions are asked for by the headers If-Match and Idempotency-Key, or
// the same names in gRPC metadata.
type conditions struct {
	// version is that of If-Match; 0: any.
	version int64
	// idempotencyKey makes asking twice the same as asking once; empty: not.
	idempotencyKey string
}

type callerKey struct{}

func withCaller(ctx context.Context, c *caller) context.Context {
	return context.WithValue(ctx, callerKey{}, c)
}

func callerOf(ctx context.Context) (*caller, bool) {
	c, ok := ctx.Value(callerKey{}).(*caller)
	return c, ok
}

// author is who is written into the audit chain.
func author(ctx context.Context) consumer.Author {
	if c, ok := callerOf(ctx); ok {
		return c.author
	}
	return consumer.Author{}
}

// authenticate finds out who calls by the Authorization lines. A right token is
// never made to wait for the wrong ones of its neighbours.
func (s *Server) authenticate(lines []string, address string) (*caller, *problem) {
	value, ok := bearer(lines)
	if !ok {
		return nil, &problem{code: codeUnauthenticated, detail: "an admin token is needed: Authorization: Bearer …"}
	}
	if t, found := holder(*s.tokens.Load(), value); found {
		return &caller{author: consumer.Author{Name: t.Name, Address: address}, role: t.Role}, nil
	}
	if wait := s.throttle.failed(address); wait > 0 {
		return nil, &problem{code: codeRateLimited, detail: "too many wrong tokens came from this address", retryAfter: max(wait, time.Second)}
	}
	return nil, &problem{code: codeUnauthenticated, detail: "the admin token is not known"}
}

// readCaller reads all that a request's headers say of its caller.
func (s *Server) readCaller(r *http.Request) (*caller, *problem) {
	who, p := s.authenticate(r.Header.Values("Authorization"), clientAddress(r.RemoteAddr))
	if p == nil {
		who.conditions, p = readConditions(r.Header.Values)
	}
	return who, p
}

// entityTag is a version as the ETag header has it, its quotes optional.
var entityTag = regexp.MustCompile(`^(?:"([1-9][0-9]{0,17})"|([1-9][0-9]{0,17}))$`)

// keyForm is what an idempotency key may be.
var keyForm = regexp.MustCompile(`^[\x21-\x7e]{1,255}$`)

func readConditions(header func(string) []string) (conditions, *problem) {
	var c conditions
	if lines := header("If-Match"); len(lines) > 1 || len(lines) == 1 && lines[0] != "*" {
		found := entityTag.FindStringSubmatch(lines[0])
		if len(lines) > 1 || found == nil {
			return c, invalid("If-Match", `expected one ETag, such as "7", or *`)
		}
		c.version, _ = strconv.ParseInt(found[1]+found[2], 10, 64) // 18 digits fit
	}
	if lines := header("Idempotency-Key"); len(lines) > 0 {
		if len(lines) > 1 || !keyForm.MatchString(lines[0]) {
			return c, invalid("Idempotency-Key", "expected one text of 1 to 255 visible ASCII characters")
		}
		c.idempotencyKey = lines[0]
	}
	return c, nil
}
