package consumer

import (
	"fmt"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// Judge rejects what is disabled, of another environment than those that are
// believed (none: all are) or ended. Only what is good in all else is called
// expired. An ephemeral consumer has no environment and is not asked for one.
// Nil means that the credential counts now.
func (f *Found) Judge(environments []string, now time.Time) *access.Rejection {
	if rejection := f.JudgeButTime(environments); rejection != nil {
		return rejection
	}
	if f.Credential.Expired(now) {
		return access.Expired("credential " + f.Credential.ID + " of consumer " + f.Consumer.Name + " expired at " + f.Credential.ExpiresAt.UTC().Format(time.RFC3339))
	}
	return nil
}

// JudgeButTime is Judge but for whether the credential has ended, where that is
// told together with something else's end.
func (f *Found) JudgeButTime(environments []string) *access.Rejection {
	who, what := f.Consumer, f.Credential
	switch {
	case !who.Enabled:
		return access.Invalid("consumer " + who.Name + " is disabled")
	case !what.Enabled:
		return access.Invalid("credential " + what.ID + " of consumer " + who.Name + " is disabled or revoked")
	case !who.Ephemeral && len(environments) > 0 && !slices.Contains(environments, who.Environment):
		return access.Invalid(fmt.Sprintf("consumer %s is of environment %q, which is not believed here", who.Name, who.Environment))
	}
	return nil
}

// Identity is who a request is from that shows the credential: all of it from
// the record.
func (f *Found) Identity() *access.Identity {
	return &access.Identity{
		Consumer:   f.Consumer,
		Credential: f.Credential,
		Scopes:     f.Credential.Scopes,
		Roles:      f.Consumer.Roles,
		Groups:     f.Consumer.Groups,
	}
}

// Cost guesses the bytes that its Identity holds: the structs and, for each
// member of a list or map, a short string with its header.
func (f *Found) Cost() int64 {
	who, what := f.Consumer, f.Credential
	members := len(who.Labels) + len(who.Attributes) + len(who.Groups) + len(who.Roles) + len(what.Scopes)
	return int64(512 + 64*members)
}
