package pando_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// DeskRuntime is what a stream of a desk is shown of itself.
type DeskRuntime struct {
	Unread int    `json:"unread"`
	Note   string `json:"note"`
}

// DeskChannel has actions of every kind.
type DeskChannel struct {
	pando.Channel[Doc, DeskRuntime]

	desk *bureau
}

func (c *DeskChannel) HasPermission(context.Context) (bool, error) {
	return !c.desk.denied.Load(), nil
}

func (c *DeskChannel) OnConnect(ctx context.Context) error {
	c.desk.connected.Add(1)
	if c.desk.onConnect != nil {
		return c.desk.onConnect(ctx, c)
	}
	return nil
}

func (c *DeskChannel) OnDisconnect(ctx context.Context) {
	how := fmt.Sprintf("%d running", c.desk.running.Load())
	if err := ctx.Err(); err != nil {
		how += ", and its context: " + err.Error()
	}
	c.desk.left <- how
}

// Append adds to the doc's text and returns the whole.
func (c *DeskChannel) Append(ctx context.Context, tx *sql.Tx, text string) (string, error) {
	if pando.TxOf(ctx) != tx {
		return "", errors.New("another transaction is TxOf's")
	}
	var body string
	err := tx.QueryRowContext(ctx, "UPDATE docs SET body = body || ? WHERE id = ? RETURNING body", text, c.Args().Int("doc_id")).Scan(&body)
	switch {
	case err != nil:
		return "", err
	case text == "fail":
		return "", pando.Errorf("conflict", "no %s", text)
	case text == "panic":
		panic("at the desk")
	}
	return body, nil
}

// Stall lasts as long as its context; StallTx writes before.
func (c *DeskChannel) Stall(ctx context.Context) error {
	c.desk.running.Add(1)
	defer c.desk.running.Add(-1)
	c.desk.stalled <- struct{}{}
	<-ctx.Done()
	c.desk.ended <- struct{}{}
	return fmt.Errorf("stall: %w", ctx.Err())
}

// Impatient gives up by itself, with some of its work done.
func (c *DeskChannel) Impatient(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	return ctx.Err()
}

func (c *DeskChannel) StallTx(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "UPDATE docs SET body = 'stalled'"); err != nil {
		return err
	}
	return c.Stall(ctx)
}

// Deaf goes on after its context has ended, for a while.
func (c *DeskChannel) Deaf(ctx context.Context) error {
	c.desk.running.Add(1)
	defer c.desk.running.Add(-1)
	err := c.Stall(ctx)
	<-c.desk.release
	return err
}

func (c *DeskChannel) Beside(ctx context.Context) error { return c.Deaf(ctx) }

func (c *DeskChannel) Panic(context.Context) error { panic("at the desk") }

func (c *DeskChannel) Read(_ context.Context, notes int) error {
	for range notes {
		if err := c.SetRuntime(func(r *DeskRuntime) { r.Unread++ }); err != nil {
			return err
		}
	}
	return c.SetRuntime(func(r *DeskRuntime) { r.Note = "read" })
}

func (c *DeskChannel) Name(_ context.Context, name string) (string, error) {
	if name == "" {
		return "", pando.Invalid("name", "is empty")
	}
	return name, nil
}

// InTx appends by Tx: once, or as told.
func (c *DeskChannel) InTx(ctx context.Context, how string) error {
	return c.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE docs SET body = body || ?", how); err != nil {
			return err
		}
		switch how {
		case "fail":
			return pando.Errorf("conflict", "no")
		case "panic":
			panic("at the desk")
		}
		return nil
	})
}

func (c *DeskChannel) TxInTx(ctx context.Context, _ *sql.Tx) error {
	return c.Tx(ctx, func(*sql.Tx) error { return nil })
}

func (c *DeskChannel) Resume(context.Context) (bool, error) { return c.Resumed(), nil }

// bureau is an app of one doc.
type bureau struct {
	t      *testing.T
	db     *sql.DB
	app    *pando.App
	server *pandotest.Server
	log    *logged

	visitors           []*reader
	connected, running atomic.Int32
	denied             atomic.Bool
	// stalled and ended tell that an action waits for its context, and has seen its
	// end; release lets those go on that do not care.
	stalled, ended, release chan struct{}
	left                    chan string
	onConnect               func(context.Context, *DeskChannel) error
}

// logged is a log that a test reads while the app writes it.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newBureau(t *testing.T, options ...pando.Option) *bureau {
	t.Helper()
	d := &bureau{
		t: t, db: pandotest.Database(t), log: &logged{},
		stalled: make(chan struct{}, 100), ended: make(chan struct{}, 100), release: make(chan struct{}), left: make(chan string, 100),
	}
	exec(t, d.db, "CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT NOT NULL); INSERT INTO docs VALUES (1, ''), (2, '')")
	d.app = d.newApp(options...)
	return d
}

func (d *bureau) newApp(options ...pando.Option) *pando.App {
	d.t.Helper()
	source := sqlitefeed.New(d.db)
	d.t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: names{}, Logger: slog.New(slog.NewTextHandler(d.log, nil))})
	if err != nil {
		d.t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *DeskChannel { return &DeskChannel{desk: d} }, append([]pando.Option{pando.Actions(
		(*DeskChannel).Append, (*DeskChannel).Stall, (*DeskChannel).Impatient, (*DeskChannel).StallTx, (*DeskChannel).Deaf, pando.Concurrent((*DeskChannel).Beside),
		(*DeskChannel).Panic, (*DeskChannel).Read, (*DeskChannel).Name, (*DeskChannel).InTx, (*DeskChannel).TxInTx, (*DeskChannel).Resume, (*DeskChannel).Progress,
	)}, options...)...))
	return app
}

func openBureau(t *testing.T, options ...pando.Option) *bureau {
	t.Helper()
	d := newBureau(t, options...)
	d.server = pandotest.Serve(t, d.app)
	return d
}

// dial opens the doc as a user.
func (d *bureau) dial(user string) *reader {
	d.t.Helper()
	r := d.visit(user)
	r.open("s1", "1")
	r.until(`"snapshot"`)
	return r
}

// visit connects as a user.
func (d *bureau) visit(user string) *reader {
	d.t.Helper()
	r := &reader{socket: dial(d.t, d.server, nil)}
	r.connect(user)
	d.visitors = append(d.visitors, r)
	return r
}

// act calls an action and returns what it is answered.
func (r *reader) act(name, args, key string) string {
	r.t.Helper()
	r.Sendf(`{"stream":"s1","id":7,"payload":{"type":"action","name":%q,"args":%s,"key":%q}}`, name, args, key)
	answer := r.until(`"id":7,`)
	_, payload, _ := strings.Cut(answer, `"payload":`)
	return strings.TrimSuffix(payload, "}")
}

func (d *bureau) body(want string) {
	d.t.Helper()
	var got string
	if err := d.db.QueryRow("SELECT body FROM docs WHERE id = 1").Scan(&got); err != nil || got != want {
		d.t.Errorf("the doc is %q, %v; want %q", got, err, want)
	}
}

// wants fails the test unless a text has all parts.
func wants(t testing.TB, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("got %s, want …%s…", text, part)
		}
	}
}

func TestAKeyedActionIsAppliedOnce(t *testing.T) {
	d := openBureau(t)
	ada := d.dial("ada")
	wants(t, ada.act("append", `["a"]`, "k1"), `"value":"a"`)
	wants(t, ada.act("append", `["a"]`, "k1"), `"value":"a"`, `"version":`)
	again := d.dial("ada") // another connection, as after a drop
	wants(t, again.act("append", `[ "a" ]`, "k1"), `"value":"a"`)
	d.body("a")
	wants(t, again.act("append", `["b"]`, "k1"), `"code":"bad_request"`, "key")
	wants(t, again.act("inTx", `["b"]`, "k2"), `"code":"bad_request"`, "applied once")
	d.body("a")
	wants(t, d.dial("grace").act("append", `["g"]`, "k1"), `"value":"ag"`)
	wants(t, ada.act("append", `["a"]`, ""), `"value":"aga"`)
	wants(t, ada.act("append", `["a"]`, ""), `"value":"agaa"`)
	d.body("agaa")
}

func TestARefusedActionMayBeAskedAgain(t *testing.T) {
	d := openBureau(t)
	ada := d.dial("ada")
	wants(t, ada.act("append", `["fail"]`, "k1"), `"code":"conflict"`)
	wants(t, ada.act("append", `["fail"]`, "k1"), `"code":"conflict"`)
	wants(t, ada.act("append", `["panic"]`, "k2"), `"code":"internal"`)
	wants(t, ada.act("append", `[7]`, "k3"), `"code":"bad_argument"`)
	d.body("")
	wants(t, ada.act("append", `["ok"]`, "k3"), `"value":"ok"`)
	if text := d.log.String(); strings.Count(text, "at the desk") != 1 {
		t.Errorf("the log says %s", text)
	}
}

func TestTheSameRequestAtOnceIsAppliedOnce(t *testing.T) {
	d := openBureau(t)
	other := d.newApp() // another node
	elsewhere := pandotest.Serve(t, other)
	var all sync.WaitGroup
	for i := range 6 {
		server := d.server
		if i%2 > 0 {
			server = elsewhere
		}
		r := &reader{socket: dial(t, server, nil)}
		r.connect("ada")
		r.open("s1", "1")
		all.Go(func() { wants(t, r.act("append", `["x"]`, "same"), `"value":"x"`) })
	}
	all.Wait()
	d.body("x")
}

func TestTx(t *testing.T) {
	d := openBureau(t)
	ada := d.dial("ada")
	wants(t, ada.act("inTx", `["a"]`, ""), `"type":"result"`)
	wants(t, ada.act("inTx", `["fail"]`, ""), `"code":"conflict"`)
	wants(t, ada.act("inTx", `["panic"]`, ""), `"code":"internal"`)
	wants(t, ada.act("txInTx", `[]`, ""), `"code":"internal"`)
	wants(t, d.log.String(), "a transaction is open already: use it, pando.TxOf(ctx) returns it")
	wants(t, ada.act("inTx", `["b"]`, ""), `"type":"result"`)
	d.body("ab")
}

func TestAnActionIsGivenUpInTime(t *testing.T) {
	d := openBureau(t, pando.ActionTimeout(30*time.Millisecond))
	ada := d.dial("ada")
	wants(t, ada.act("stall", `[]`, ""), `"code":"timeout"`, "longer than 30ms", `"outcome":"unknown"`)
	wants(t, ada.act("impatient", `[]`, ""), `"code":"timeout"`, `"retry":false`, `"outcome":"unknown"`)
	undone := ada.act("stallTx", `[]`, "k")
	wants(t, undone, `"code":"timeout"`)
	if strings.Contains(undone, "outcome") {
		t.Errorf("what was rolled back is told as unknown: %s", undone)
	}
	d.body("")
	wants(t, ada.act("append", `["alive"]`, ""), `"value":"alive"`)
	if text := d.log.String(); strings.Contains(text, "request failed") {
		t.Errorf("what took too long is logged as a failure: %s", text)
	}
}

func TestRequestsAreLimited(t *testing.T) {
	d := openBureau(t, pando.MaxRequest(100), pando.RateLimit(0.001, 2))
	ada := d.dial("ada")
	wants(t, ada.act("append", fmt.Sprintf("[%q]", strings.Repeat("x", 100)), ""), `"code":"too_large"`, "over the limit of 100")
	for range 2 {
		wants(t, ada.act("append", `["x"]`, ""), `"type":"result"`)
	}
	wants(t, ada.act("append", `["x"]`, ""), `"code":"rate_limited"`, `"retry":true`, `"retry_after":99`)
	wants(t, d.dial("ada").act("append", `["y"]`, ""), `"value":"xxy"`) // each stream has its own
	d.body("xxy")
}

func TestErrorsOfFields(t *testing.T) {
	ada := openBureau(t).dial("ada")
	want := `{"type":"error","code":"invalid","message":"name: is empty","retry":false,"fields":{"name":"is empty"}}`
	if got := ada.act("name", `[""]`, ""); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRuntimeStateIsOneFrameATurn(t *testing.T) {
	ada := openBureau(t).dial("ada")
	ada.got.Reset()
	began := time.Now()
	wants(t, ada.act("read", `[50]`, ""), `"type":"result"`)
	most := 1 + int(time.Since(began)/(50*time.Millisecond)) // a long turn shows what it does
	ada.flush()
	if n := strings.Count(ada.got.String(), `"type":"runtime"`); n < 1 || n > most {
		t.Errorf("%d frames came for 51 changes within a turn, want %d at most: %s", n, most, ada.got.String())
	}
	wants(t, ada.got.String(), `"unread":50`, `"note":"read"`)
}

func TestDeclarationsOfActions(t *testing.T) {
	for _, c := range []struct {
		option pando.Option
		want   string
	}{
		{pando.ActionTimeout(-time.Second), "ActionTimeout(-1s): give a positive duration"},
		{pando.MaxRequest(0), "MaxRequest(0): give a positive number of bytes"},
		{pando.MaxRequest(1 << 20), "MaxRequest(1048576) is above Config.MaxFrame, 65536: raise that"},
		{pando.RateLimit(0, 1), "RateLimit(0, 1): give a positive rate, and a burst of 1 at least"},
		{pando.RateLimit(1, 0), "RateLimit(1, 0): give a positive rate, and a burst of 1 at least"},
		{pando.Actions(pando.Concurrent("Rename")), "action: got string: give a method expression"},
	} {
		if _, err := newBureau(t, c.option).app.Manifest(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want …%s…", err, c.want)
		}
	}
	m, err := newBureau(t).app.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range m.Channels[0].Actions {
		if once := a.Name == "append" || a.Name == "stallTx" || a.Name == "txInTx"; a.Once != once {
			t.Errorf("action %s: once is %v", a.Name, a.Once)
		}
	}
}
