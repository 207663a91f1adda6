package upstream

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	refreshAfter = 5 * time.Minute  // a key that Postern took back is refused from then on
	unknownAfter = 10 * time.Second // junk kids cause no more than one fetch in this time
	fetchTimeout = 2 * time.Second
	maxSet       = 64 << 10
)

// Keys are Postern's public keys. They are fetched when they are first needed,
// when an unknown one signs, and when they grow old; the last good ones count
// while Postern can't be reached.
type Keys struct {
	URL    string           // https://postern.internal/.well-known/jwks.json
	Client *http.Client     // nil: http.DefaultClient
	Now    func() time.Time // nil: time.Now

	fetching sync.Mutex // held by the one who fetches
	last     atomic.Pointer[set]
}

// set is what the last fetch left; it is never changed.
type set struct {
	byID  map[string]crypto.PublicKey
	tried time.Time
}

// find doesn't wait for a fetch when it has the key and the set is young.
func (k *Keys) find(ctx context.Context, id string) (crypto.PublicKey, error) {
	s := k.last.Load()
	if k.due(s, id) {
		s = k.renew(ctx, id)
	}
	if key := s.byID[id]; key != nil {
		return key, nil
	}
	return nil, errors.New("unknown key")
}

func (k *Keys) due(s *set, id string) bool {
	if s == nil {
		return true
	}
	age := k.now().Sub(s.tried)
	return age > refreshAfter || s.byID[id] == nil && age > unknownAfter
}

// renew fetches, unless another request has while this one waited.
func (k *Keys) renew(ctx context.Context, id string) *set {
	k.fetching.Lock()
	defer k.fetching.Unlock()
	s := k.last.Load()
	if !k.due(s, id) {
		return s
	}
	next := &set{tried: k.now()}
	var err error
	if next.byID, err = k.fetch(ctx); err != nil && s != nil {
		next.byID = s.byID
	}
	k.last.Store(next)
	return next
}

func (k *Keys) now() time.Time {
	if k.Now != nil {
		return k.Now()
	}
	return time.Now()
}

// fetch outlives a request that goes away: the next one needs the keys too.
func (k *Keys) fetch(ctx context.Context) (map[string]crypto.PublicKey, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.URL, nil)
	if err != nil {
		return nil, err
	}
	client := k.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("keys: status %d", resp.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSet))
	if err != nil {
		return nil, err
	}
	return parse(body)
}

func parse(body []byte) (map[string]crypto.PublicKey, error) {
	var document struct {
		Keys []struct{ Kid, Kty, Crv, X, Y string }
	}
	if err := json.Unmarshal(body, &document); err != nil {
		return nil, err
	}
	keys := map[string]crypto.PublicKey{}
	for _, k := range document.Keys {
		x, errX := base64.RawURLEncoding.DecodeString(k.X)
		y, errY := base64.RawURLEncoding.DecodeString(k.Y)
		switch {
		case errX != nil || errY != nil || k.Kid == "":
		case k.Kty == "OKP" && k.Crv == "Ed25519" && len(x) == ed25519.PublicKeySize:
			keys[k.Kid] = ed25519.PublicKey(x)
		case k.Kty == "EC" && k.Crv == "P-256" && len(x) == 32 && len(y) == 32:
			point := append(append([]byte{4}, x...), y...)
			if key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point); err == nil {
				keys[k.Kid] = key
			}
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("keys: none that can be used")
	}
	return keys, nil
}
