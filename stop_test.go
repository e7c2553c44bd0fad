package pando_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/wiretest"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/pandotest"
)

// works is an app of which one function does not return when its context ends.
type works struct {
	t     *testing.T
	app   *pando.App
	db    *sql.DB
	layer broker.Broker
	url   string
	log   logged
	stop  context.CancelFunc
	ended chan error

	// deaf is the function that hangs, which has entered it, until release.
	deaf             string
	entered, release chan struct{}
	once             sync.Once
	// after is what it does then; done has its error.
	after func(ctx context.Context, c *worksChannel) error
	done  chan error
}

// logged is how often a text stands in the log.
func (w *works) logged(part string) int { return strings.Count(w.log.String(), part) }

// hang returns when it may, where it is called by the function that hangs.
func (w *works) hang(name string) {
	if name != w.deaf {
		return
	}
	w.once.Do(func() { close(w.entered) })
	<-w.release
}

type worksChannel struct {
	pando.Channel[Doc, Runtime]

	w      *works
	opened bool
}

func (c *worksChannel) HasPermission(context.Context) (bool, error) {
	if c.opened {
		c.w.hang("HasPermission")
	}
	return true, nil
}

func (c *worksChannel) OnConnect(ctx context.Context) error {
	c.opened = true
	c.w.hang("OnConnect")
	return c.GroupAdd(ctx, "hall")
}

func (c *worksChannel) OnDisconnect(context.Context) { c.w.hang("OnDisconnect") }

func (c *worksChannel) Work(ctx context.Context) error {
	c.w.hang("work")
	if c.w.after == nil {
		return nil
	}
	err := c.w.after(ctx, c)
	c.w.done <- err
	return err
}

func (c *worksChannel) OnNews(context.Context, string) error {
	c.w.hang("consumer")
	return nil
}

func (c *worksChannel) CanSave(context.Context, Doc, pando.Data[Doc]) error {
	c.w.hang("save")
	return nil
}

// worksAuth is names that may hang.
type worksAuth struct{ w *works }

func (a worksAuth) Authenticate(ctx context.Context, r *http.Request, tok string) (pando.Identity, error) {
	if tok != "" {
		a.w.hang("Authenticate")
	}
	return names{}.Authenticate(ctx, r, tok)
}

// openWorks runs an app of which one function hangs.
func openWorks(t *testing.T, deaf string) *works {
	t.Helper()
	return openWorksFor(t, deaf, 100*time.Millisecond)
}

func openWorksFor(t *testing.T, deaf string, part time.Duration) *works {
	t.Helper()
	w := &works{
		t: t, db: pandotest.Database(t), deaf: deaf, ended: make(chan error, 1), done: make(chan error, 1),
		entered: make(chan struct{}), release: make(chan struct{}),
	}
	exec(t, w.db, docs)
	exec(t, w.db, "CREATE TABLE pins (id INTEGER PRIMARY KEY, room TEXT NOT NULL, text TEXT NOT NULL)")
	source := sqlitefeed.New(w.db)
	t.Cleanup(func() { source.Close() })
	layer, err := membroker.New(broker.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { layer.Close() })
	w.layer = layer
	app, err := pando.New(pando.Config{
		Source: source, Auth: worksAuth{w}, Broker: layer, Logger: slog.New(slog.NewTextHandler(&w.log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	w.app = app
	w.declare()
	app.Hasten(part)
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w.stop = stop
	go func() { w.ended <- app.Run(ctx) }()
	select {
	case <-app.Ready():
	case err := <-w.ended:
		t.Fatal(err)
	}
	server := httptest.NewServer(app)
	w.url = server.URL
	t.Cleanup(func() {
		stop()
		server.Close()
	})
	return w
}

func (w *works) declare() {
	w.app.Handle("docs/{doc_id}", pando.For(func() *worksChannel { return &worksChannel{w: w} },
		pando.Actions((*worksChannel).Work), pando.Consume("news", (*worksChannel).OnNews),
		pando.Writable[Doc](pando.Save((*worksChannel).CanSave))))
	w.app.Use(func(next pando.Handler) pando.Handler {
		return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
			w.hang("Use of " + r.Kind)
			return next(ctx, r)
		}
	})
	w.app.OnSend(func(s pando.Sent) {
		if strings.Contains(string(s.Message), "snapshot") {
			w.hang("OnSend")
		}
	})
	bound := pins()
	bound.GroupNames = func(*Pinned) []string {
		w.hang("GroupNames")
		return []string{"room"}
	}
	opened := false
	hall := &mux.Demultiplexer{
		Consumers: map[string]mux.Consumer{"pins": bound, "echo": mux.JSON[spoken]{
			OnConnect: func(context.Context, *mux.Stream) error {
				opened = true
				w.hang("Connect")
				return nil
			},
			OnReceive: func(context.Context, *mux.Stream, spoken) (any, error) {
				w.hang("Receive")
				return "heard", nil
			},
			OnDisconnect: func(context.Context, *mux.Stream) { w.hang("Disconnect") },
		}},
		HasPermission: func(context.Context, *mux.Conn) (bool, error) {
			if opened {
				w.hang("demultiplexer's HasPermission")
			}
			return true, nil
		},
		ConnectionGroups: func(mux.Args) []string {
			w.hang("ConnectionGroups")
			return nil
		},
	}
	plain := func(name string) mux.Handler {
		return func(context.Context, *mux.Message) error {
			w.hang(name)
			return nil
		}
	}
	w.app.Mux(mux.RouteClass(hall, "^/hall/"), mux.Include("^/plain/",
		mux.Route("websocket.connect", plain("websocket.connect")), mux.Route("websocket.receive", plain("websocket.receive")),
		mux.Route("websocket.disconnect", plain("websocket.disconnect"))))
}

// ends stops the app, and returns how Run has ended, which it must soon.
func (w *works) ends() error {
	w.t.Helper()
	<-w.entered
	begun := time.Now()
	w.stop()
	select {
	case err := <-w.ended:
		if took := time.Since(begun); took > 5*time.Second {
			w.t.Errorf("it took %s", took)
		}
		return err
	case <-time.After(10 * time.Second):
		w.t.Fatal("Run waits for what does not end")
		return nil
	}
}

// page opens the channel.
func (w *works) page() *wiretest.Socket {
	w.t.Helper()
	s := wiretest.Dial(w.t, w.url+"/ws", nil)
	s.Sendf(`{"stream":"@","id":1,"payload":{"type":"connect","protocol":1,"token":"ada"}}`)
	s.Sendf(`{"stream":"s1","id":2,"payload":{"type":"open","route":"docs/1"}}`)
	return s
}

func (w *works) openPage() *wiretest.Socket {
	w.t.Helper()
	s := w.page()
	for !strings.Contains(s.Read(), "snapshot") {
	}
	return s
}

// dials connects to a path beside the test: what hangs may be before the answer.
func (w *works) dials(path string) {
	request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key": {"dGhlIHNhbXBsZSBub25jZQ=="}, "Authorization": {"Token ada"},
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		transport := &http.Transport{}
		if resp, err := transport.RoundTrip(request); err == nil {
			resp.Body.Close()
		}
		transport.CloseIdleConnections()
	}()
	w.t.Cleanup(func() { <-done })
}

const work = `{"stream":"s1","id":3,"payload":{"type":"action","name":"work","args":[]}}`

// TestRunEndsWithoutWhatDoesNotEnd has each of the app's functions hang, and wants Run
// to name it.
func TestRunEndsWithoutWhatDoesNotEnd(t *testing.T) {
	for deaf, test := range map[string]struct {
		begin func(w *works)
		want  string
	}{
		"work":      {func(w *works) { w.openPage().Sendf(work) }, "worksChannel: action work"},
		"OnConnect": {func(w *works) { w.page() }, "worksChannel: open"},
		"OnDisconnect": {func(w *works) {
			w.openPage().Sendf(`{"stream":"s1","id":3,"payload":{"type":"close"}}`)
		}, "worksChannel: OnDisconnect"},
		"HasPermission": {func(w *works) {
			w.openPage()
			w.app.Recheck("ada")
		}, "worksChannel: HasPermission"},
		"consumer": {func(w *works) {
			w.openPage()
			if err := w.app.GroupSend(w.t.Context(), "hall", "news", "it rains"); err != nil {
				w.t.Error(err)
			}
		}, "worksChannel: consumer of news"},
		"save": {func(w *works) {
			w.openPage().Sendf(`{"stream":"s1","id":3,"payload":{"type":"save","of":"Doc","id":"1","data":{"body":"new"}}}`)
		}, "worksChannel: save Doc"},
		"Use of open":   {func(w *works) { w.page() }, "worksChannel: open"},
		"Use of action": {func(w *works) { w.openPage().Sendf(work) }, "worksChannel: action work"},
		"Authenticate":  {func(w *works) { w.page() }, "Config.Auth"},
		"OnSend":        {func(w *works) { w.page() }, "OnSend"},
		"GroupNames": {func(w *works) {
			wiretest.Plain(w.t, w.url+"/hall/", as("ada"))
			exec(w.t, w.db, "INSERT INTO pins VALUES (1, 'room', 'hello')")
		}, "GroupNames and Serialize of bindings"},
		"Connect": {func(w *works) { wiretest.Plain(w.t, w.url+"/hall/", as("ada")) }, "/hall/: open echo"},
		"Receive": {func(w *works) {
			wiretest.Plain(w.t, w.url+"/hall/", as("ada")).Sendf(`{"stream":"echo","payload":{}}`)
		}, "/hall/: message echo"},
		"Disconnect": {func(w *works) {
			s := wiretest.Plain(w.t, w.url+"/hall/", as("ada"))
			s.Sendf(`{"stream":"echo","id":1,"payload":{}}`)
			s.Want("heard")
			s.Conn.Close()
		}, "/hall/: Disconnect echo"},
		"demultiplexer's HasPermission": {func(w *works) {
			s := wiretest.Plain(w.t, w.url+"/hall/", as("ada"))
			s.Sendf(`{"stream":"echo","id":1,"payload":{}}`)
			s.Want("heard")
			w.app.Recheck("ada")
		}, "/hall/: HasPermission"},
		"ConnectionGroups":  {func(w *works) { w.dials("/hall/") }, "/hall/: open"},
		"websocket.connect": {func(w *works) { w.dials("/plain/") }, "/plain/: open"},
		"websocket.receive": {func(w *works) {
			wiretest.Plain(w.t, w.url+"/plain/", as("ada")).Sendf("hello")
		}, "/plain/: message websocket.receive"},
		"websocket.disconnect": {func(w *works) {
			wiretest.Plain(w.t, w.url+"/plain/", as("ada")).Conn.Close()
		}, "/plain/: message websocket.disconnect"},
	} {
		t.Run(deaf, func(t *testing.T) {
			t.Parallel()
			w := openWorks(t, deaf)
			t.Cleanup(func() { close(w.release) })
			test.begin(w)
			err := w.ends()
			if !errors.Is(err, pando.ErrUnfinished) || !strings.Contains(err.Error(), "pando: stop: "+test.want) {
				t.Errorf("got %v, want %q named", err, test.want)
			}
			if w.logged("level=ERROR") == 0 || w.logged(test.want) == 0 {
				t.Errorf("the log has %q", w.log.String())
			}
		})
	}
}

// TestRunNamesTheOldest has many actions hang: of those that are logged, and the one
// of the error, the oldest is the first.
func TestRunNamesTheOldest(t *testing.T) {
	const pages = 24
	w := openWorks(t, "work")
	t.Cleanup(func() { close(w.release) })
	w.openPage().Sendf(work)
	<-w.entered
	for range pages {
		s := wiretest.Plain(t, w.url+"/hall/", as("ada"))
		s.Sendf(`{"stream":"echo","id":1,"payload":{}}`)
		s.Want("heard")
		w.openPage().Sendf(work)
	}
	last := w.openPage()
	last.Sendf(`{"stream":"@","id":9,"payload":{"type":"ping"}}`)
	last.Want(`"id":9`)
	err := w.ends()
	if err == nil || strings.Count(err.Error(), "worksChannel") != 1 {
		t.Errorf("got %v", err)
	}
	if got := w.logged("what has begun does not end"); got != 20 || w.logged("more does not end") != 1 {
		t.Errorf("%d are logged: %s", got, w.log.String())
	}
}

// TestWhatGoesOnAfterRunFailsByErrors has an action that was left go on when the
// program has closed all that it could use.
func TestWhatGoesOnAfterRunFailsByErrors(t *testing.T) {
	w := openWorks(t, "work")
	tries := map[string]func(ctx context.Context, c *worksChannel) error{
		"context": func(ctx context.Context, _ *worksChannel) error { return ctx.Err() },
		"database": func(ctx context.Context, _ *worksChannel) error {
			_, err := w.db.ExecContext(context.WithoutCancel(ctx), "DELETE FROM docs")
			return err
		},
		"Tx": func(ctx context.Context, c *worksChannel) error {
			return c.Tx(context.WithoutCancel(ctx), func(*sql.Tx) error { return nil })
		},
		"Notify": func(_ context.Context, c *worksChannel) error { return c.Notify("news", 1) },
		"GroupAdd": func(ctx context.Context, c *worksChannel) error {
			return c.GroupAdd(context.WithoutCancel(ctx), "another")
		},
		"GroupSend": func(ctx context.Context, c *worksChannel) error {
			return c.GroupSend(context.WithoutCancel(ctx), "hall", "news", "late")
		},
		"SetRuntime": func(_ context.Context, c *worksChannel) error {
			return errors.Join(c.SetRuntime(func(r *Runtime) { r.Calls++ }), errors.New("there is no client"))
		},
	}
	got := map[string]error{}
	w.after = func(ctx context.Context, c *worksChannel) error {
		for name, try := range tries {
			got[name] = try(ctx, c)
		}
		return nil
	}
	w.openPage().Sendf(work)
	if err := w.ends(); !errors.Is(err, pando.ErrUnfinished) {
		t.Errorf("got %v", err)
	}
	w.db.Close()
	w.layer.Close()
	close(w.release)
	if err := <-w.done; err != nil {
		t.Error(err)
	}
	for name := range tries {
		if name != "Notify" && got[name] == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if n := w.logged("panic"); n > 0 {
		t.Errorf("%d panics: %s", n, w.log.String())
	}
}

// TestRunWaitsForWhatHeedsItsContext has an action that takes its time once its
// context has ended.
func TestRunWaitsForWhatHeedsItsContext(t *testing.T) {
	w := openWorksFor(t, "", 10*time.Second)
	close(w.entered)
	begun := make(chan struct{})
	w.after = func(ctx context.Context, _ *worksChannel) error {
		close(begun)
		<-ctx.Done()
		_, err := w.db.ExecContext(context.WithoutCancel(ctx), "UPDATE docs SET body = 'done'")
		return err
	}
	w.openPage().Sendf(work)
	<-begun
	if err := w.ends(); err != nil {
		t.Error(err)
	}
	if err := <-w.done; err != nil {
		t.Error(err)
	}
	var body string
	if err := w.db.QueryRow("SELECT body FROM docs WHERE id = 1").Scan(&body); err != nil || body != "done" {
		t.Error(fmt.Errorf("the row has %q: %w", body, err))
	}
}
