package forwardauth

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"testing"
)

// FuzzHeads holds what passes a strict connection to what net/http makes of
// it: where the one sees the second request, the other must too, or refuse.
func FuzzHeads(f *testing.F) {
	f.Add([]byte("GET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"), 5)
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}GET /b HTTP/1.1\r\nHost: a\r\n\r\n"), 1)
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 3)
	f.Add([]byte("GET /a HTTP/1.0\r\nHost: a\r\n b\r\n\r\n"), 99)
	f.Add([]byte("GET /a HTTP/1.1\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"), 4)
	f.Add([]byte("POST /a HTTP/0.1\r\nHost: a\r\nTransfer-Encoding: other\r\n\r\n"), 7)
	f.Fuzz(func(t *testing.T, wire []byte, size int) {
		passed, refused := feedInParts(wire, max(1, size))
		if again, refusedToo := feedInParts(wire, len(wire)+1); again != passed || refused != refusedToo {
			t.Fatalf("in parts %d, %v; whole %d, %v", passed, refused, again, refusedToo)
		}
		follow(t, wire[:passed])
	})
}

func feedInParts(wire []byte, size int) (passed int, refused bool) {
	var h heads
	for rest := wire; len(rest) > 0; {
		part := rest[:min(size, len(rest))]
		n, err := h.feed(part)
		passed += n
		if err != nil {
			return passed, true
		}
		rest = rest[len(part):]
	}
	return passed, false
}

// follow lets net/http read what passed, and checks that each of its requests
// ends where heads says so.
func follow(t *testing.T, wire []byte) {
	t.Helper()
	source := bytes.NewReader(wire)
	in := bufio.NewReaderSize(source, 16)
	for {
		start := len(wire) - source.Len() - in.Buffered()
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if r.ContentLength < 0 {
			return // chunked: the connection is closed after the answer
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		end := len(wire) - source.Len() - in.Buffered()
		var h heads
		if n, err := h.feed(wire[start:end]); err != nil || n != end-start || h.lines != 0 || h.body != 0 || len(h.part) != 0 || h.unframed {
			t.Fatalf("net/http's request ends elsewhere: %q, %+v, %v", wire[start:end], h, err)
		}
	}
}
