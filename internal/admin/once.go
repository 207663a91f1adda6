package admin

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// rememberFor is how long an answer is remembered for its idempotency key.
const rememberFor = 24 * time.Hour

// errAnswered undoes a change whose twin was first.
var errAnswered = errors.New("was answered already")

// once makes a call. With an idempotency key, a creation that was made already
// is not made again: its answer is given again, with the key that it made. The
// answer is remembered in the very change that it tells of, so that neither a
// crash nor a twin can part the two.
func (s *Server) once(ctx context.Context, method string, m proto.Message, call grpc.UnaryHandler) (any, error) {
	who, _ := callerOf(ctx)
	if who.idempotencyKey == "" || !creates(methodName(method)) {
		return call(ctx, m)
	}
	r := remembering(who, method, m)
	if answer, err := s.remembered(ctx, r); answer != nil || err != nil {
		return answer, err
	}
	keys := s.options.Keyring.Also(func(ctx context.Context, w consumer.Writer, made any) error {
		return s.remember(ctx, w, r, made)
	})
	answer, err := call(context.WithValue(ctx, keysKey{}, keys), m)
	if err == nil {
		return answer, nil
	}
	// A twin may have come first and left a name taken, or its answer.
	if twin, lookErr := s.remembered(ctx, r); twin != nil || lookErr != nil && errors.Is(err, errAnswered) {
		return twin, lookErr
	}
	return nil, err
}

// remembering names a request. The idempotency key is the key of the contents'
// digest: who reads the store can't try contents, such as passwords, without it.
func remembering(who *caller, method string, m proto.Message) consumer.Remembered {
	contents, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil { // only a text that is not UTF-8, which no door lets in
		contents = nil
	}
	return consumer.Remembered{
		Key:     keyed([]byte("idempotency"), who.author.Name, who.idempotencyKey),
		Request: keyed([]byte(who.idempotencyKey), method, string(contents)),
	}
}

// keyed is the HMAC-SHA-256 of length-delimited parts.
func keyed(key []byte, parts ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		mac.Write([]byte(part))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

// remembered finds the answer to a request; nil: there is none yet.
func (s *Server) remembered(ctx context.Context, r consumer.Remembered) (proto.Message, error) {
	found, err := s.options.Keyring.Remembered(ctx, r.Key)
	switch {
	case errors.Is(err, consumer.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case !hmac.Equal([]byte(found.Request), []byte(r.Request)):
		return nil, &problem{code: codeConflict, detail: "the Idempotency-Key was used for another request"}
	}
	var packed anypb.Any
	if err := proto.Unmarshal(found.Response.Reveal(), &packed); err != nil {
		return nil, fmt.Errorf("a remembered answer can't be read: %w", err)
	}
	return packed.UnmarshalNew()
}

// remember writes the answer to what was made.
func (s *Server) remember(ctx context.Context, w consumer.Writer, r consumer.Remembered, made any) error {
	if _, err := w.Remembered(ctx, r.Key); !errors.Is(err, consumer.ErrNotFound) {
		return errors.Join(errAnswered, err)
	}
	answer, err := s.answer(made)
	if err != nil {
		return err
	}
	packed, err := anypb.New(answer)
	if err != nil {
		return err
	}
	text, err := proto.Marshal(packed)
	if err != nil {
		return err
	}
	r.Response, r.ExpiresAt = access.NewSecret(string(text)), s.options.Now().Add(rememberFor)
	return w.Remember(ctx, &r)
}
