package manage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
)

// runserver is the command that serves.
type runserver struct {
	Addr   string `default:"127.0.0.1:8000" env:"PANDO_ADDR" help:"Address to listen at; port 0 takes a free one."`
	Static string `default:"${static}" env:"PANDO_STATIC" help:"Folder of files to serve besides the app." placeholder:"DIR"`
}

// Run prepares the database and serves until the context ends. It takes the
// address first, so that a second server on it changes nothing; who connects
// meanwhile waits.
func (r *runserver) Run(env *environment, c *commands) error {
	listener, err := listen(env.ctx, r.Addr)
	if err != nil {
		return err
	}
	defer listener.Close()
	return env.with(Settings{DB: c.DB, Static: r.Static}, func(p *Project) error {
		if err := p.prepare(env.ctx, true); err != nil {
			return err
		}
		r.announce(env, p, listener.Addr())
		s := &server{app: p.App, handler: p.handler(), log: env.log, grace: defaultGrace}
		return s.serve(env.ctx, listener)
	})
}

func (r *runserver) announce(env *environment, p *Project, addr net.Addr) {
	url := "http://" + addr.String()
	fmt.Fprintf(env.stdout, "%s: listening on %s\n", env.config.Name, url)
	if p.Ready != nil {
		fmt.Fprintln(env.stdout, p.Ready(url))
	}
}

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("%s is taken: stop the program that listens there, or choose another by --addr: %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}
