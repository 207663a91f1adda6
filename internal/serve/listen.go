package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"sync"
	"time"
)

// listen opens a listener on "host:port" or "unix:/path". A socket file that a
// killed process left behind is removed, one that answers is not.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var opener net.ListenConfig
	path, unix := strings.CutPrefix(address, "unix:")
	if !unix {
		return opener.Listen(ctx, "tcp", address)
	}
	if err := removeStale(ctx, path); err != nil {
		return nil, err
	}
	return opener.Listen(ctx, "unix", path)
}

func removeStale(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0:
		return fmt.Errorf("%s exists and is no socket", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "unix", path); err == nil {
		_ = conn.Close()
		return fmt.Errorf("%s is in use by another process", path)
	}
	return os.Remove(path)
}

// TLSFiles are the files of a listener's certificate; with ClientCA a client
// must show a certificate that it signed.
type TLSFiles struct{ Cert, Key, ClientCA string }

// tlsConfig serves the files' certificate, and reads them again when they have
// changed. Files that can't be read at the start are an error; later the last
// good ones stay.
func tlsConfig(files TLSFiles, now func() time.Time, warn func(error)) (*tls.Config, error) {
	source := &certificates{files: files, now: now, warn: warn}
	current, stamp, err := source.read()
	if err != nil {
		return nil, err
	}
	source.current, source.stamp, source.checked = current, stamp, now()
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"},
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return source.config(), nil
		},
	}, nil
}

// certificateAge is how long a handshake may rely on the files as they were.
const certificateAge = time.Second

// certificates holds the last good state of a listener's files.
type certificates struct {
	files TLSFiles
	now   func() time.Time
	warn  func(error)

	mu      sync.Mutex
	current *tls.Config
	stamp   string
	checked time.Time
}

func (c *certificates) config() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.checked) >= certificateAge {
		c.checked = now
		c.refresh()
	}
	return c.current
}

func (c *certificates) refresh() {
	if stamp := c.files.stamp(); stamp == c.stamp {
		return
	}
	current, stamp, err := c.read()
	if err != nil {
		c.warn(fmt.Errorf("TLS files changed and can't be used, the last good ones stay: %w", err))
		return
	}
	c.current, c.stamp = current, stamp
}

func (c *certificates) read() (*tls.Config, string, error) {
	stamp := c.files.stamp()
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		return nil, "", fmt.Errorf("certificate %s with key %s: %w", c.files.Cert, c.files.Key, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{pair}}
	if c.files.ClientCA == "" {
		return config, stamp, nil
	}
	pem, err := os.ReadFile(c.files.ClientCA)
	if err != nil {
		return nil, "", err
	}
	config.ClientCAs, config.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, "", fmt.Errorf("%s holds no certificate in PEM", c.files.ClientCA)
	}
	return config, stamp, nil
}

// stamp changes when a file does, also when a link to it is turned.
func (f TLSFiles) stamp() string {
	var b strings.Builder
	for _, name := range []string{f.Cert, f.Key, f.ClientCA} {
		info, err := os.Stat(name)
		if err != nil {
			fmt.Fprintf(&b, "%s -\n", name)
			continue
		}
		fmt.Fprintf(&b, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
	}
	return b.String()
}
