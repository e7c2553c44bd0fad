package manage

import (
	"bufio"
	"context"
	"database/sql"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// Both are made for the commands.
var (
	_ App       = (*pando.App)(nil)
	_ Checker   = (*pando.App)(nil)
	_ Messenger = (*pando.App)(nil)

	_ Administrator = (*pando.App)(nil)

	_ Users  = (*token.Store)(nil)
	_ Tokens = (*token.Store)(nil)
)

// fakeApp is the smallest App: it notes what is asked of it.
type fakeApp struct {
	http.Handler

	note     func(step string)
	run      func(ctx context.Context) error
	manifest *schema.Manifest
}

func (a *fakeApp) Setup(context.Context) error { a.note("setup"); return nil }

func (a *fakeApp) Run(ctx context.Context) error {
	a.note("run")
	if a.run != nil {
		return a.run(ctx)
	}
	<-ctx.Done()
	return ctx.Err()
}

// Ready says that the app serves at once.
func (*fakeApp) Ready() <-chan struct{} {
	ready := make(chan struct{})
	close(ready)
	return ready
}

func (a *fakeApp) Manifest() (*schema.Manifest, error) { return a.manifest, nil }

// bench is a project on a database file of its own, and the steps that the
// commands took in it.
type bench struct {
	t        *testing.T
	app      *fakeApp
	db       string
	settings Settings
	change   func(*Project)

	mu    sync.Mutex
	steps []string // guarded by mu
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, db: filepath.Join(t.TempDir(), "app.db")}
	b.app = &fakeApp{Handler: http.NotFoundHandler(), note: b.note, manifest: &schema.Manifest{Registry: schema.NewRegistry()}}
	return b
}

func (b *bench) note(step string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.steps = append(b.steps, step)
}

func (b *bench) wantSteps(want ...string) {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.Equal(b.steps, want) {
		b.t.Errorf("steps are %q, want %q", b.steps, want)
	}
}

func (b *bench) open(_ context.Context, s Settings) (*Project, error) {
	b.settings = s
	db, err := sql.Open("sqlite", s.DB)
	if err != nil {
		return nil, err
	}
	users := token.New(db)
	p := &Project{
		App:     b.app,
		Users:   users,
		Migrate: func(ctx context.Context) error { b.note("migrate"); return users.Migrate(ctx) },
		Seed:    func(context.Context) error { b.note("seed"); return nil },
		Close:   func() error { b.note("close"); return db.Close() },
	}
	if b.change != nil {
		b.change(p)
	}
	return p, nil
}

// outcome is how a command ended.
type outcome struct {
	code        int
	out, errOut string
}

// run runs a command to its end.
func (b *bench) run(stdin string, args ...string) outcome {
	b.t.Helper()
	var out, errOut strings.Builder
	code := run(b.environment(b.t.Context(), strings.NewReader(stdin), &out, &errOut), args)
	return outcome{code, out.String(), errOut.String()}
}

func (b *bench) environment(ctx context.Context, stdin io.Reader, out, errOut io.Writer) *environment {
	return &environment{
		ctx: ctx, config: Config{Name: "board", DB: b.db, Open: b.open},
		log: slog.New(slog.NewTextHandler(errOut, nil)), stdin: stdin, stdout: out, stderr: errOut,
	}
}

// running is a runserver that has said where it listens.
type running struct {
	url string
	// out has the lines that follow; it must be read, or the server waits.
	out  *bufio.Reader
	stop context.CancelFunc
	done chan outcome
}

// start runs runserver on a free port until stop.
func (b *bench) start(args ...string) *running {
	b.t.Helper()
	ctx, stop := context.WithCancel(b.t.Context())
	b.t.Cleanup(stop)
	read, write := io.Pipe()
	r := &running{out: bufio.NewReader(read), stop: stop, done: make(chan outcome, 1)}
	go func() {
		var errOut strings.Builder
		code := run(b.environment(ctx, strings.NewReader(""), write, &errOut), append([]string{"runserver", "--addr", "127.0.0.1:0"}, args...))
		write.Close()
		r.done <- outcome{code: code, errOut: errOut.String()}
	}()
	line, err := r.out.ReadString('\n')
	if err != nil {
		b.t.Fatalf("the server has not started: %+v", <-r.done)
	}
	const start = "board: listening on "
	if !strings.HasPrefix(line, start) {
		b.t.Fatalf("the first line is %q", line)
	}
	r.url = strings.TrimSpace(strings.TrimPrefix(line, start))
	return r
}

// end waits for the server's end.
func (r *running) end(t *testing.T) outcome {
	t.Helper()
	select {
	case o := <-r.done:
		return o
	case <-time.After(20 * time.Second):
		t.Fatal("the server does not end")
		return outcome{}
	}
}

// get returns the body behind a URL, on a connection of its own.
func get(ctx context.Context, url string) (string, error) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}
