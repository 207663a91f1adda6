package admin

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/postern-authz/postern/internal/consumer"
)

// How many things a page has, when nothing is said and at most.
const (
	defaultPageSize = 100
	maxPageSize     = 1000
)

// listing is a request for a page of a list.
type listing interface {
	proto.Message
	GetPageSize() int32
	GetPageToken() string
}

// pageSize is how many things are asked for.
func pageSize(field string, asked int32) (int, error) {
	switch {
	case asked == 0:
		return defaultPageSize, nil
	case asked < 0 || asked > maxPageSize:
		return 0, invalid(field, "expected 1 to 1000")
	}
	return int(asked), nil
}

// page reads where a list goes on.
func (s *Server) page(r listing) (consumer.Page, error) {
	size, err := pageSize("page_size", r.GetPageSize())
	if err != nil {
		return consumer.Page{}, err
	}
	if r.GetPageToken() == "" {
		return consumer.Page{Limit: size}, nil
	}
	after, signature, _ := strings.Cut(r.GetPageToken(), ".")
	plain, err := base64.RawURLEncoding.Strict().DecodeString(after)
	given, err2 := base64.RawURLEncoding.Strict().DecodeString(signature)
	if err != nil || err2 != nil || !hmac.Equal(given, s.signature(r, string(plain))) {
		return consumer.Page{}, invalid("page_token", "expected the next_page_token of this very list")
	}
	return consumer.Page{After: string(plain), Limit: size}, nil
}

// nextToken is the token of the page after the last of count things; empty when
// there is none.
func (s *Server) nextToken(r listing, p consumer.Page, count int, last string) string {
	if count < p.Limit {
		return ""
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(last)) + "." + encode(s.signature(r, last))
}

// signature binds a place in a list to what the list is of.
func (s *Server) signature(r listing, after string) []byte {
	mac := hmac.New(sha256.New, s.options.PageKey)
	for _, part := range []string{listed(r), after} {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return mac.Sum(nil)
}

// listed is a text of all that a request asks for but the page.
func listed(r listing) string {
	of := proto.Clone(r)
	reflected := of.ProtoReflect()
	for _, field := range []string{"page_size", "page_token"} {
		reflected.Clear(reflected.Descriptor().Fields().ByTextName(field))
	}
	text, err := proto.MarshalOptions{Deterministic: true}.Marshal(of)
	if err != nil { // only a text that is not UTF-8, which no door lets in
		return ""
	}
	return string(reflected.Descriptor().FullName()) + "\x00" + string(text)
}
