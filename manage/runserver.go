package manage

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/pando-sync/pando/gen"
)

// runserver is the command that serves.
type runserver struct {
	Addr   string `default:"127.0.0.1:8000" env:"PANDO_ADDR" help:"Address to listen at; port 0 takes a free one."`
	Static string `default:"${static}" env:"PANDO_STATIC" help:"Folder of files to serve besides the app." placeholder:"DIR"`

	Drain time.Duration `default:"0s" env:"PANDO_DRAIN" help:"How long to go on serving, with /readyz at 503, once asked to stop: as long as a load balancer takes to notice."`

	Makefrontend bool `help:"Write the TypeScript classes at the start and whenever a Go file in the working directory changes."`
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
	settings := c.settings()
	settings.Static = r.Static
	return env.with(settings, func(p *Project) error {
		if err := p.prepare(env.ctx, true); err != nil {
			return err
		}
		if r.Makefrontend {
			stop, err := followSources(env, c, p)
			if err != nil {
				return err
			}
			defer stop()
		}
		r.announce(env, p, listener.Addr())
		s := &server{app: p.App, handler: p.handler(), log: env.log, grace: defaultGrace}
		s.grace.drain = r.Drain
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

// followSources writes the app's generated files now, and by a child process
// whenever its sources change, until stop returns. What fails is printed, and
// the server goes on with the declarations that it was built with.
func followSources(env *environment, c *commands, p *Project) (stop func(), err error) {
	if p.Frontend == "" {
		return nil, errors.New("no folder to write to: set Project.Frontend, which --makefrontend needs")
	}
	say := func(format string, args ...any) {
		fmt.Fprintf(env.stdout, env.config.Name+": "+format+"\n", args...)
	}
	failed := func(err error) { say("makefrontend: %v", err) }
	app := rebuild{main: mainPackage(), args: []string{"makefrontend", "--db", c.DB}}
	w := &watcher{
		root: ".", settle: settleTime, skip: []string{filepath.Clean(p.Frontend)}, failed: failed,
		run: func(ctx context.Context) error {
			out, err := app.run(ctx)
			if err == nil && !isUpToDate(out) {
				say("the front end's classes changed; start the server anew to serve what they declare\n%s", strings.TrimSpace(out))
			}
			return err
		},
	}
	if err := w.open(); err != nil {
		return nil, err
	}
	if err := writeFrontend(env, p); err != nil {
		failed(err)
	}
	ctx, cancel := context.WithCancel(env.ctx)
	watching := begin(func() error { w.watch(ctx); return nil })
	return func() { cancel(); <-watching.done }, nil
}

// writeFrontend writes what this program declares.
func writeFrontend(env *environment, p *Project) error {
	files, err := generate(env, p.App)
	if err != nil {
		return err
	}
	_, err = gen.Sync(p.Frontend, files, gen.Mode{Quiet: true}, env.stdout)
	return err
}

// isUpToDate tells whether makefrontend said that it had nothing to write.
func isUpToDate(out string) bool {
	return strings.Count(out, "\n") == 1 && strings.HasSuffix(out, " is up to date\n")
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
