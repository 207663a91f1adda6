package config

import (
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// A cache's size in bytes.
const (
	leastCache = 1 << 20
	mostCache  = 64 << 30
)

func (c *checker) cache(p *cachePart) Cache {
	if p.MaxMemory != 0 && (p.MaxMemory < leastCache || p.MaxMemory > mostCache) {
		c.refuse("cache.max_memory", "expected 1MiB to 64GiB, or 0 to remember nothing")
	}
	return Cache{
		MaxMemory:   int64(p.MaxMemory),
		TTL:         c.span("cache.ttl", p.TTL, time.Millisecond, 24*time.Hour),
		NegativeTTL: c.span("cache.negative_ttl", p.NegativeTTL, 0, time.Hour),
	}
}

func (c *checker) telemetry(p *telemetryPart) Telemetry {
	if sample := p.DecisionLog.AllowSample; sample < 0 || sample > 1 {
		c.refuse("telemetry.decision_log.allow_sample", "expected a number from 0 to 1")
	}
	return Telemetry{
		LogLevel:     string(p.LogLevel),
		LogFormat:    string(p.LogFormat),
		OTLPEndpoint: c.endpoint("telemetry.otlp_endpoint", p.OTLPEndpoint),
		AllowSample:  p.DecisionLog.AllowSample,
	}
}

func (c *checker) endpoint(field, text string) access.Secret {
	if !c.doc.Has(field) {
		return access.Secret{}
	}
	before := len(c.problems)
	text = c.resolve(field, text)
	if _, err := webURL(text); err != nil && len(c.problems) == before {
		c.refuse(field, "%s", err)
	}
	return access.NewSecret(text)
}
