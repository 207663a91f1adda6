package serve_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/credentials"
)

// authority signs certificates for a test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t), pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, _ = x509.ParseCertificate(der)
	a.pool.AddCert(a.cert)
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// sign writes NAME.pem and NAME.key into dir and returns the pair.
func (a *authority) sign(t *testing.T, dir, name string, serial int64) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der)
	writePEM(t, filepath.Join(dir, name+".key"), "PRIVATE KEY", keyDER)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func writePEM(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// serial is that of the certificate which the listener shows now.
func serial(t *testing.T, address string, config *tls.Config) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

func TestTLSWithClientCertificates(t *testing.T) {
	ca := newAuthority(t)
	var client tls.Certificate
	h := start(t, func(dir string) {
		ca.sign(t, dir, "server", 10)
		client = ca.sign(t, dir, "client", 11)
		writePEM(t, filepath.Join(dir, "ca.pem"), "CERTIFICATE", ca.cert.Raw)
		block := "\n    tls: {cert_file: server.pem, key_file: server.key, client_ca_file: ca.pem}"
		edit(t, dir, "postern.yaml",
			"grpc:\n    address: 127.0.0.1:0 ", "grpc:"+block+"\n    address: 127.0.0.1:0 ",
			"http:\n    address: 127.0.0.1:0 ", "http:"+block+"\n    address: 127.0.0.1:0 ",
			"admin:\n    address: 127.0.0.1:0 ", "admin:"+block+"\n    address: 127.0.0.1:0 ")
	})
	good := &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{client}}
	if answer := checkOrder(t, dial(t, h.at.GRPC.String(), credentials.NewTLS(good))); answer.GetOkResponse() == nil {
		t.Errorf("gRPC: %v", answer)
	}
	if status := orderOverTLS(t, h, good); status != http.StatusOK {
		t.Errorf("HTTP: %d", status)
	}
	if status := orderOverTLS(t, h, &tls.Config{RootCAs: ca.pool}); status != 0 {
		t.Errorf("a client without a certificate got %d", status)
	}

	ca.sign(t, h.dir, "server", 20)
	for _, address := range []string{h.at.GRPC.String(), h.at.HTTP.String(), h.at.Admin.String()} {
		until(t, "the new certificate is shown at "+address, func() bool { return serial(t, address, good) == 20 })
	}
	if err := os.WriteFile(filepath.Join(h.dir, "server.pem"), []byte("half writ"), 0o600); err != nil {
		t.Fatal(err)
	}
	until(t, "the log tells of the bad file", func() bool {
		ok := serial(t, h.at.HTTP.String(), good) == 20
		if !ok {
			t.Fatal("the last good certificate is gone")
		}
		return strings.Contains(h.log.String(), "last good ones stay")
	})
}

// orderOverTLS returns the status, 0 when there was no answer.
func orderOverTLS(t *testing.T, h *house, config *tls.Config) int {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config}
	defer transport.CloseIdleConnections()
	req, _ := http.NewRequestWithContext(context.Background(), http.MethodGet, "https://"+h.at.HTTP.String()+"/forward-auth/traefik", nil)
	for name, value := range map[string]string{
		"X-Forwarded-Method": "GET", "X-Forwarded-Uri": "/orders/7", "X-Forwarded-Host": "api.example.com", "X-API-Key": mobileKey,
	} {
		req.Header.Set(name, value)
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		return 0
	}
	defer func() { _ = resp.Body.Close() }()
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode
}
