package manage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestRunserver(t *testing.T) {
	b := newBench(t)
	b.app.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "the app") })
	b.change = func(p *Project) { p.Ready = func(url string) string { return "open " + url + " and log in" } }
	server := b.start("--static", "dist")
	if line, err := server.out.ReadString('\n'); err != nil || line != "open "+server.url+" and log in\n" {
		t.Errorf("the second line is %q, %v", line, err)
	}
	if body, err := get(t.Context(), server.url); body != "the app" || err != nil {
		t.Errorf("the server says %q, %v", body, err)
	}
	server.stop()
	if got := server.end(t); got.code != 0 || !strings.Contains(got.errOut, "msg=stopping") {
		t.Errorf("%+v", got)
	}
	if b.settings.Static != "dist" || b.settings.Log == nil {
		t.Errorf("the app was opened with %+v", b.settings)
	}
	b.wantSteps("migrate", "seed", "setup", "run", "close")
}

func TestRunserverServesTheHandler(t *testing.T) {
	b := newBench(t)
	b.change = func(p *Project) {
		p.Handler = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "around the app") })
	}
	server := b.start()
	if body, err := get(t.Context(), server.url); body != "around the app" || err != nil {
		t.Errorf("the server says %q, %v", body, err)
	}
	server.stop()
	server.end(t)
}

func TestTakenAddress(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	b := newBench(t)
	t.Setenv("PANDO_ADDR", listener.Addr().String())
	got := b.run("", "runserver")
	want := "board: " + listener.Addr().String() + " is taken: stop the program that listens there, or choose another by --addr: "
	if got.code != 1 || !strings.HasPrefix(got.errOut, want) {
		t.Errorf("%+v, want %s…", got, want)
	}
	b.wantSteps()
}

func TestAppThatFailsEndsTheServer(t *testing.T) {
	for want, err := range map[string]error{
		"board: run app: database is gone\n": errors.New("database is gone"),
		"board: run app: ended by itself\n":  nil,
	} {
		b := newBench(t)
		b.app.run = func(context.Context) error { return err }
		server := b.start()
		if got := server.end(t); got.code != 1 || !strings.HasSuffix(got.errOut, want) {
			t.Errorf("%+v, want %s", got, want)
		}
		b.wantSteps("migrate", "seed", "setup", "run", "close")
	}
}

func TestStopWaitsForRequests(t *testing.T) {
	b := newBench(t)
	entered := make(chan struct{})
	var server *running
	b.app.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		for accepts(server.url) && r.Context().Err() == nil {
			runtime.Gosched() // until the stop has begun
		}
		b.note("answered")
		fmt.Fprint(w, "the answer")
	})
	b.app.run = func(ctx context.Context) error {
		<-ctx.Done()
		b.note("stopped")
		return nil
	}
	server = b.start()
	var body string
	request := begin(func() (err error) {
		body, err = get(t.Context(), server.url)
		return err
	})
	<-entered
	server.stop()
	<-request.done
	if body != "the answer" || request.err != nil {
		t.Errorf("the request got %q, %v", body, request.err)
	}
	if got := server.end(t); got.code != 0 {
		t.Errorf("%+v", got)
	}
	b.wantSteps("migrate", "seed", "setup", "run", "answered", "stopped", "close")
}

// accepts tells whether a server takes connections.
func accepts(url string) bool {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// serveBriefly runs a server with next to no grace, and stops it once a
// request has entered handler.
func serveBriefly(t *testing.T, app *fakeApp, entered <-chan struct{}) error {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	s := &server{app: app, handler: app, log: slog.New(slog.DiscardHandler), grace: grace{requests: time.Millisecond, total: 50 * time.Millisecond}}
	ended := begin(func() error { return s.serve(ctx, listener) })
	requested := begin(func() error {
		_, err := get(t.Context(), "http://"+listener.Addr().String())
		return err
	})
	<-entered
	stop()
	<-ended.done
	<-requested.done
	return ended.err
}

func TestStopCutsOffWhatTakesTooLong(t *testing.T) {
	entered := make(chan struct{})
	app := &fakeApp{note: func(string) {}, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	})}
	if err := serveBriefly(t, app, entered); err != nil {
		t.Error(err)
	}
}

// unready is an app that is never ready, as when its database cannot be
// followed.
type unready struct{ *fakeApp }

func (unready) Ready() <-chan struct{} { return nil }

func TestAppThatNeverServesEndsTheServer(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	app := unready{&fakeApp{note: func(string) {}, run: func(context.Context) error { return errors.New("no database") }}}
	s := &server{app: app, handler: http.NotFoundHandler(), log: slog.New(slog.DiscardHandler), grace: defaultGrace}
	if err := s.serve(t.Context(), listener); err == nil || err.Error() != "run app: no database" {
		t.Errorf("error is %v", err)
	}
	if accepts("http://" + listener.Addr().String()) {
		t.Error("the listener is left open")
	}
}

func TestStopGivesUpOnAnAppThatHangs(t *testing.T) {
	entered, release, gone := make(chan struct{}), make(chan struct{}), make(chan struct{})
	app := &fakeApp{
		note:    func(string) {},
		Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { close(entered) }),
		run: func(context.Context) error {
			defer close(gone)
			<-release
			return nil
		},
	}
	err := serveBriefly(t, app, entered)
	if err == nil || err.Error() != "run app: did not stop in time" {
		t.Errorf("error is %v", err)
	}
	close(release)
	<-gone
}
