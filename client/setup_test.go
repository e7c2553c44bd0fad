package client_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/client"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience is how long a step may take before the test fails.
const patience = 10 * time.Second

type Shelf struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Books []Book `json:"books"`
}

type Book struct {
	ID    int64      `json:"id"`
	Title string     `json:"title"`
	Read  *time.Time `json:"read"`
}

// Validate is asked about a book as it would be.
func (b *Book) Validate() error {
	if b.Title == "" {
		return pando.Invalid("title", "is empty")
	}
	return nil
}

type ShelfRuntime struct {
	Calls int    `json:"calls"`
	Name  string `json:"name"`
}

type ShelfChannel struct {
	pando.Channel[Shelf, ShelfRuntime]
	lib *library
}

func (c *ShelfChannel) HasPermission(context.Context) (bool, error) {
	return c.Args().String("shelf_id") != "13", nil
}

func (c *ShelfChannel) OnConnect(context.Context) error {
	return c.SetRuntime(func(r *ShelfRuntime) { r.Name = c.User().ID })
}

// Add is applied once.
func (c *ShelfChannel) Add(ctx context.Context, tx *sql.Tx, title string) (id string, err error) {
	err = tx.QueryRowContext(ctx, "INSERT INTO books (shelf_id, title) VALUES (?, ?) RETURNING id", c.Args().Int("shelf_id"), title).Scan(&id)
	return id, err
}

// Rename may be applied again.
func (c *ShelfChannel) Rename(ctx context.Context, name string) error {
	if name == "" {
		return pando.Invalid("name", "is empty")
	}
	_, err := c.lib.db.ExecContext(ctx, "UPDATE shelves SET name = ? WHERE id = ?", name, c.Args().Int("shelf_id"))
	return err
}

// Shout tells the caller's own stream.
func (c *ShelfChannel) Shout(_ context.Context, times int) error {
	for i := range times {
		if err := c.Notify("shout", i); err != nil {
			return err
		}
	}
	return c.SetRuntime(func(r *ShelfRuntime) { r.Calls++ })
}

func (c *ShelfChannel) CanSaveBook(context.Context, Book, pando.Data[Book]) error { return nil }
func (c *ShelfChannel) CanCreateBook(context.Context, pando.Data[Book]) error     { return nil }
func (c *ShelfChannel) CanDeleteBook(context.Context, Book) error                 { return nil }

// PageChannel shows the same on any page: its routes share a scope.
type PageChannel struct {
	pando.Channel[Shelf, pando.NoRuntime]
}

func (c *PageChannel) HasPermission(context.Context) (bool, error) { return true, nil }

type BooksChannel struct {
	pando.List[Book, pando.NoRuntime]
}

func (c *BooksChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// library is an app of shelves behind a proxy.
type library struct {
	t     *testing.T
	db    *sql.DB
	serve *pandotest.Server
	proxy *proxy

	mu    sync.Mutex // guards what follows
	known map[string]time.Time
}

const tables = `
	CREATE TABLE shelves (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
	CREATE TABLE books (id INTEGER PRIMARY KEY, shelf_id INTEGER NOT NULL REFERENCES shelves, title TEXT NOT NULL, read TIMESTAMP);
	INSERT INTO shelves VALUES (1, 'new'), (2, 'old'), (13, 'hidden');
	INSERT INTO books VALUES (1, 1, 'Emma', NULL), (2, 2, 'Ulysses', NULL)`

func open(t *testing.T) *library {
	t.Helper()
	l := &library{t: t, db: pandotest.Database(t), known: map[string]time.Time{"ada": {}}}
	l.exec(tables)
	l.proxy = newProxy(t)
	l.start()
	return l
}

// start serves the library, in place of what did before.
func (l *library) start() {
	l.t.Helper()
	source := sqlitefeed.New(l.db)
	l.t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: l})
	if err != nil {
		l.t.Fatal(err)
	}
	app.Handle("shelves/{shelf_id}", pando.For(func() *ShelfChannel { return &ShelfChannel{lib: l} },
		pando.Actions((*ShelfChannel).Add, (*ShelfChannel).Rename, (*ShelfChannel).Shout),
		pando.Writable[Book](
			pando.Save((*ShelfChannel).CanSaveBook), pando.Create((*ShelfChannel).CanCreateBook), pando.Delete((*ShelfChannel).CanDeleteBook),
		),
	))
	app.Handle("shelves/{shelf_id}/pages/{page}", pando.For(func() *PageChannel { return &PageChannel{} }, pando.AnchorBy("shelf_id")))
	app.Handle("books", pando.For(func() *BooksChannel { return &BooksChannel{} }, pando.OrderBy("-title")))
	l.serve = pandotest.Serve(l.t, app)
	l.proxy.aim(l.serve.URL)
}

// Authenticate takes names that are known, for as long as they are.
func (l *library) Authenticate(_ context.Context, _ *http.Request, name string) (pando.Identity, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if name == "" {
		return pando.Identity{}, token.ErrNone
	}
	expires, ok := l.known[name]
	if !ok {
		return pando.Identity{}, token.ErrInvalid
	}
	id, _, _ := strings.Cut(name, "-")
	return pando.Identity{ID: id, Expires: expires}, nil
}

// know has a token be good until then, for ever if that is zero.
func (l *library) know(name string, until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[name] = until
}

func (l *library) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.known, name)
}

func (l *library) exec(query string, args ...any) {
	l.t.Helper()
	if _, err := l.db.ExecContext(l.t.Context(), query, args...); err != nil {
		l.t.Fatal(err)
	}
}

// count waits until a query counts so many.
func (l *library) count(query string, want int) {
	l.t.Helper()
	deadline := time.Now().Add(patience)
	for got := -1; got != want; {
		if err := l.db.QueryRowContext(l.t.Context(), query).Scan(&got); err != nil {
			l.t.Fatal(err)
		}
		if time.Now().After(deadline) {
			l.t.Fatalf("%s: %d, want %d", query, got, want)
		}
	}
}

// ada is a client of hers.
func (l *library) ada() *client.Client {
	l.t.Helper()
	return l.client(func(context.Context) (string, error) { return "ada", nil })
}

func (l *library) client(token func(context.Context) (string, error)) *client.Client {
	l.t.Helper()
	c := client.New(l.proxy.url(), client.Options{Token: token}).Hasten()
	l.t.Cleanup(c.Close)
	return c
}

// within is a context for a step.
func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func shelf(t *testing.T, c *client.Client, route string) *client.Stream[Shelf] {
	t.Helper()
	s, err := client.Open[Shelf](within(t), c, route)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// wait waits until a stream agrees.
func wait[S any](t *testing.T, s *client.Stream[S], what string, ok func(S) bool) S {
	t.Helper()
	got, err := s.Wait(within(t), ok)
	if err != nil {
		t.Fatalf("wait for %s: %v; the state is %s", what, err, s.JSON())
	}
	return got
}

// coded is an error of the package with a code and an outcome.
func coded(t *testing.T, err error, code string, outcome client.Outcome) *client.Error {
	t.Helper()
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Code != code || e.Outcome != outcome {
		t.Fatalf("got %v, want code %s with outcome %s", err, code, outcome)
	}
	return e
}

// proxy stands between clients and a server. What it cuts is gone at once.
type proxy struct {
	t        *testing.T
	listener net.Listener
	wg       sync.WaitGroup

	mu     sync.Mutex // guards what follows
	target string
	conns  map[net.Conn]bool
	mute   bool
	dials  int
}

func newProxy(t *testing.T) *proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{t: t, listener: listener, conns: map[net.Conn]bool{}}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		listener.Close()
		p.cut()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "http://" + p.listener.Addr().String() }

func (p *proxy) aim(url string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = strings.TrimPrefix(url, "http://")
}

func (p *proxy) accept() {
	for {
		in, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.mu.Lock()
		target := p.target
		p.dials++
		p.mu.Unlock()
		out, err := net.Dial("tcp", target)
		if err != nil {
			in.Close()
			continue
		}
		p.keep(in, out)
		p.wg.Go(func() { p.copy(out, in, false) })
		p.wg.Go(func() { p.copy(in, out, true) })
	}
}

func (p *proxy) keep(conns ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
}

// copy copies until one of both ends is gone.
func (p *proxy) copy(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 4096)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		mute := p.mute && answers
		p.mu.Unlock()
		if n > 0 && !mute {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// silence loses what the server answers from now on.
func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = true
}

// cut breaks all connections; new ones are as good as any.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
		delete(p.conns, c)
	}
	p.mute = false
}

func (p *proxy) dialled() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dials
}
