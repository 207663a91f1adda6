package main

import (
	"context"
	"path/filepath"

	"github.com/postern-authz/postern/bench/program"
)

// trio is Postern, the floor beneath it, and the floor with the garbage
// collector set as Postern sets its own.
type trio struct{ postern, noop, tuned *program.Program }

// startServers builds both programs into dir and starts them.
func startServers(ctx context.Context, root, dir string) (*trio, error) {
	if err := program.Build(ctx, root, dir); err != nil {
		return nil, err
	}
	p := &trio{}
	if err := p.start(ctx, root, dir); err != nil {
		p.stop()
		return nil, err
	}
	return p, nil
}

func (p *trio) start(ctx context.Context, root, dir string) (err error) {
	if p.noop, err = program.StartNoop(ctx, dir); err != nil {
		return err
	}
	if p.tuned, err = program.StartNoop(ctx, dir, "GOGC=400"); err != nil {
		return err
	}
	at, err := program.FreeAddresses()
	if err != nil {
		return err
	}
	config, err := writeConfig(filepath.Join(root, "deploy", "example"), filepath.Join(dir, "config"), at)
	if err != nil {
		return err
	}
	p.postern, err = program.Start(ctx, dir, "postern", at, nil, "serve", "--config", config)
	return err
}

func (p *trio) stop() {
	p.postern.Stop()
	p.tuned.Stop()
	p.noop.Stop()
}

func (p *trio) lastWords() string { return p.postern.LastWords() }
