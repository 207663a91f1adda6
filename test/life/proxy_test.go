package life

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

// proxy stands between an instance and its store, and can be cut or hang.
type proxy struct {
	t *testing.T
	// Listen is where it takes connections.
	Listen, upstream string
	work             sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil while it is cut
	links    map[*link]bool
	// flows is closed while data goes through.
	flows chan struct{}
}

// link is a connection from an instance with its own to the store.
type link struct {
	ends [2]net.Conn
	once sync.Once
	gone chan struct{}
}

func (l *link) close() {
	l.once.Do(func() {
		close(l.gone)
		_, _ = l.ends[0].Close(), l.ends[1].Close() // nobody is told: that is what a cut is
	})
}

func startProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	p := &proxy{t: t, Listen: harness.FreeAddress(t), upstream: upstream, links: map[*link]bool{}, flows: make(chan struct{})}
	close(p.flows)
	p.mend()
	t.Cleanup(func() { p.cut(); p.work.Wait() })
	return p
}

// cut ends all connections and takes no new ones.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != nil {
		_ = p.listener.Close() // it is free in any case
	}
	p.listener = nil
	for l := range p.links {
		l.close()
	}
}

// mend takes connections again.
func (p *proxy) mend() {
	p.t.Helper()
	var config net.ListenConfig
	listener, err := config.Listen(p.t.Context(), "tcp", p.Listen)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listener = listener
	p.work.Go(func() { p.serve(listener) })
}

// hang keeps the connections, and takes new ones, but lets nothing through.
func (p *proxy) hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flows = make(chan struct{})
}

// wake lets through what came meanwhile, and all that comes.
func (p *proxy) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.flows)
}

func (p *proxy) flowing() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flows
}

func (p *proxy) serve(listener net.Listener) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		store, err := net.Dial("tcp", p.upstream)
		if err != nil {
			_ = client.Close() // as the store's own machine would
			continue
		}
		p.join(listener, &link{ends: [2]net.Conn{client, store}, gone: make(chan struct{})})
	}
}

// join lets data through in both ways, unless the proxy was cut meanwhile.
func (p *proxy) join(listener net.Listener, l *link) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.listener != listener {
		l.close()
		return
	}
	p.links[l] = true
	for way := range l.ends {
		p.work.Go(func() {
			p.pump(l, l.ends[1-way], l.ends[way])
			l.close()
			p.mu.Lock()
			defer p.mu.Unlock()
			delete(p.links, l)
		})
	}
}

func (p *proxy) pump(l *link, to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		select {
		case <-p.flowing():
		case <-l.gone:
			return
		}
		if _, writeErr := to.Write(buffer[:n]); err != nil || writeErr != nil {
			return
		}
	}
}
