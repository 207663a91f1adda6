package upstream

import "context"

// Fetched returns a verifier that has asked for the keys once, now, and never
// asks again.
func Fetched(ctx context.Context, c Config) *Verifier {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	v, err := New(ctx, c)
	if err != nil {
		panic(err)
	}
	_ = v.keys.Sync(ctx) // a key set that is refused is a case of its own
	return v
}
