package cli_test

import (
	"crypto/tls"
	"encoding/pem"
	"io"
	"net"
	"net/http/httptest"
	"os"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// relay SCHEME SOCKET VARIABLE [FILE] listens on a port of loopback, whose
// address it puts into the variable, and hands everything on to the socket. With
// https it speaks TLS, and writes its authority into the file.
func relay(ts *testscript.TestScript, _ bool, args []string) {
	server := httptest.NewUnstartedServer(nil)
	if args[0] == "https" {
		server.EnableHTTP2 = true
		server.StartTLS()
		authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
		ts.Check(os.WriteFile(ts.MkAbs(args[3]), authority, 0o600))
		config := server.TLS
		server.Close()
		listener, err := tls.Listen("tcp", "127.0.0.1:0", config)
		ts.Check(err)
		handOn(ts, listener, ts.MkAbs(args[1]), args[2])
		return
	}
	handOn(ts, server.Listener, ts.MkAbs(args[1]), args[2])
}

func handOn(ts *testscript.TestScript, from net.Listener, socket, variable string) {
	ts.Setenv(variable, from.Addr().String())
	var all sync.WaitGroup
	ts.Defer(func() {
		_ = from.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			client, err := from.Accept()
			if err != nil {
				return
			}
			all.Go(func() { join(client, socket) })
		}
	})
}

// join copies both ways until one side ends.
func join(client net.Conn, socket string) {
	server, err := net.Dial("unix", socket)
	if err != nil {
		_ = client.Close()
		return
	}
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{client, server}, {server, client}} {
		both.Go(func() {
			_, _ = io.Copy(way[0], way[1])
			_, _ = way[0].Close(), way[1].Close()
		})
	}
	both.Wait()
}
