package forwardauth

import (
	"bytes"
	"errors"
	"net"
	"strconv"
)

// strictListener's connections are strict.
type strictListener struct{ net.Listener }

// Accept implements net.Listener.
func (l strictListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &strictConn{Conn: conn}, nil
}

// strictConn refuses, on the wire, the heads of requests that two programs may
// read in two ways and that net/http reads in its own: lines that end in a
// bare LF, folded lines, Content-Length with Transfer-Encoding or twice, any
// Transfer-Encoding in another version than HTTP/1.1 (RFC 9112 sections 2.2,
// 5.2, 6.1, 6.3). To net/http the refusal is a failed read: it answers 400 and
// closes.
type strictConn struct {
	net.Conn
	heads heads
	err   error
}

// Read implements net.Conn.
func (c *strictConn) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.Conn.Read(p)
	good, refusal := c.heads.feed(p[:n])
	if refusal != nil {
		c.err = refusal
		return good, refusal
	}
	return n, err
}

// CloseWrite lets net/http close gently, so that a peer that still sends can
// read the answer.
func (c *strictConn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// heads follows a connection's requests from head to head.
type heads struct {
	// part is the beginning of a line whose end has not come yet. It grows no
	// further than net/http reads: to MaxHeaderBytes and a little.
	part []byte
	// lines counts the head's lines so far; 0: the request line is next.
	lines     int
	old       bool // another version than HTTP/1.1
	hasLength bool
	length    int64
	coded     bool // Transfer-Encoding
	// body is how many bytes of a body are still to come.
	body int64
	// unframed: a chunked body has begun. Its end is not looked for: the
	// connection is closed after the answer.
	unframed bool
}

// feed reads on. It returns how many bytes may be passed on, and why no more.
func (h *heads) feed(p []byte) (passed int, refusal error) {
	for passed < len(p) {
		rest := p[passed:]
		switch {
		case h.unframed:
			return len(p), nil
		case h.body > 0:
			skip := min(h.body, int64(len(rest)))
			h.body -= skip
			passed += int(skip)
		default:
			end := bytes.IndexByte(rest, '\n')
			if end < 0 {
				h.part = append(h.part, rest...)
				return len(p), nil
			}
			if err := h.line(h.whole(rest[:end+1])); err != nil {
				return passed + end, err
			}
			passed += end + 1
		}
	}
	return passed, nil
}

// whole joins a line's end with its beginning, if that came before.
func (h *heads) whole(end []byte) []byte {
	if len(h.part) == 0 {
		return end
	}
	line := h.part
	h.part = nil
	return append(line, end...)
}

func (h *heads) line(line []byte) error {
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	switch {
	case !ok:
		return errors.New("a line ends in a bare LF")
	case h.lines == 0 && len(line) == 0:
		return errors.New("an empty line stands before the request")
	case h.lines == 0:
		h.old = !bytes.HasSuffix(line, []byte(" HTTP/1.1"))
	case len(line) == 0:
		return h.end()
	case line[0] == ' ' || line[0] == '\t':
		return errors.New("a header line is folded")
	default:
		if err := h.field(line); err != nil {
			return err
		}
	}
	h.lines++
	return nil
}

// field looks for what frames the body.
func (h *heads) field(line []byte) (err error) {
	name, value, _ := bytes.Cut(line, []byte{':'})
	switch {
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		h.coded = true
	case !bytes.EqualFold(name, []byte("Content-Length")):
	case h.hasLength:
		return errors.New("Content-Length is there twice")
	default:
		h.hasLength = true
		h.length, err = contentLength(value)
	}
	return err
}

func contentLength(value []byte) (int64, error) {
	value = bytes.Trim(value, " \t")
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, errors.New("Content-Length is no number")
		}
	}
	return strconv.ParseInt(string(value), 10, 64)
}

// end is the empty line after a head: what comes next is a body or a head.
func (h *heads) end() error {
	if h.coded && (h.hasLength || h.old) {
		return errors.New("Transfer-Encoding with Content-Length, or in another version than HTTP/1.1")
	}
	*h = heads{part: h.part, body: h.length, unframed: h.coded}
	return nil
}
