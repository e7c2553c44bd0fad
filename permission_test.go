package pando_test

import (
	"context"
	"database/sql"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

type Doc struct {
	ID   int64  `json:"id"`
	Body string `json:"body"`
}

type Member struct {
	ID     int64 `db:"id"`
	DocID  int64 `db:"doc_id"`
	UserID int64 `db:"user_id"`
}

// DocChannel may be opened by the members of a doc.
type DocChannel struct {
	pando.Channel[Doc, pando.NoRuntime]

	office *office
}

func (c *DocChannel) HasPermission(ctx context.Context) (bool, error) {
	c.office.asked.Add(1)
	n := 0
	err := c.office.db.QueryRowContext(ctx, "SELECT count(*) FROM members WHERE doc_id = ? AND user_id = ?",
		c.Args().Int("doc_id"), c.User().ID).Scan(&n)
	// What follows stands between the author's reading and his answer.
	if step := c.office.between.Load(); step != nil {
		(*step)()
	}
	return n > 0 && !c.office.closed.Load(), err
}

// office is an app of docs, which a test looks at by what goes over a socket.
type office struct {
	t      *testing.T
	db     *sql.DB
	app    *pando.App
	server *pandotest.Server
	// asked counts the questions for permission; closed refuses all; between runs
	// once in each.
	asked   atomic.Int32
	closed  atomic.Bool
	between atomic.Pointer[func()]
}

const docs = `
CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE members (id INTEGER PRIMARY KEY, doc_id INTEGER NOT NULL, user_id INTEGER NOT NULL);
INSERT INTO docs VALUES (1, 'open'), (2, 'two');
INSERT INTO members VALUES (1, 1, 1), (2, 1, 2), (3, 2, 2);
`

func openOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, db: pandotest.Database(t)}
	exec(t, o.db, docs)
	source := sqlitefeed.New(o.db)
	t.Cleanup(func() { source.Close() })
	var err error
	if o.app, err = pando.New(pando.Config{Source: source, Auth: names{}, Logger: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	o.app.Handle("docs/{doc_id}", pando.For(func() *DocChannel { return &DocChannel{office: o} },
		pando.RecheckOn[Member]("doc_id")))
	o.app.Handle("offices/{doc}/docs/{doc_id}", pando.For(func() *RoomDoc { return &RoomDoc{DocChannel{office: o}} },
		pando.RecheckOn[Member]("doc_id", "doc")))
	o.server = pandotest.Serve(t, o.app)
	return o
}

// RoomDoc is a doc whose permission is found by another parameter than the
// anchor.
type RoomDoc struct{ DocChannel }

func (c *RoomDoc) HasPermission(context.Context) (bool, error) {
	c.office.asked.Add(1)
	return !c.office.closed.Load(), nil
}

func TestRecheckOnAnArgument(t *testing.T) {
	o := openOffice(t)
	r := o.dial("1")
	for i, office := range []string{"2", "7", "none"} {
		r.Sendf(`{"stream":"s%s","id":%d,"payload":{"type":"open","route":"offices/%s/docs/1"}}`, office, i+2, office)
		r.until("opened")
	}
	asked := o.asked.Load()
	o.closed.Store(true)
	exec(t, o.db, "BEGIN; UPDATE members SET user_id = 9 WHERE doc_id = 2; UPDATE docs SET body = 'changed'; COMMIT")
	if got := short(r.until(`"closed"`)); got != "s2 0 closed denied" {
		t.Errorf("got %s", got)
	}
	r.until("changed") // the other streams show it
	if got := o.asked.Load() - asked; got != 1 {
		t.Errorf("permission was asked %d times, want once: of the stream of office 2", got)
	}
}

// reader is a connection that keeps what it was sent.
type reader struct {
	*socket

	got strings.Builder
}

func (o *office) dial(user string) *reader {
	o.t.Helper()
	r := &reader{socket: dial(o.t, o.server, nil)}
	r.connect(user)
	return r
}

func (r *reader) open(stream, doc string) string {
	r.t.Helper()
	r.Sendf(`{"stream":%q,"id":2,"payload":{"type":"open","route":"docs/%s"}}`, stream, doc)
	return r.until(`"stream":"` + stream + `","id":2`)
}

// until reads up to a message that has a part.
func (r *reader) until(part string) string {
	r.t.Helper()
	for {
		m := r.Read()
		r.got.WriteString(m + "\n")
		if strings.Contains(m, part) {
			return m
		}
	}
}

// flush reads all that the server has to say: replies come behind it.
func (r *reader) flush() {
	r.t.Helper()
	r.Sendf(`{"stream":"@","id":9,"payload":{"type":"ping"}}`)
	r.until(`"pong"`)
}

// never fails the test if a text has come.
func (r *reader) never(text string) {
	r.t.Helper()
	r.flush()
	if strings.Contains(r.got.String(), text) {
		r.t.Errorf("%s was sent:\n%s", text, r.got.String())
	}
}

// seen waits until a member has been sent a text: the feed has passed it.
func (o *office) seen(text string) {
	o.t.Helper()
	watcher := pandotest.Open[Doc](o.t, o.server.Connect(o.t, "2"), "docs/1")
	watcher.Wait(o.t, text, func(d *Doc) bool { return strings.Contains(d.Body, text) })
}

const revoke = "BEGIN; DELETE FROM members WHERE user_id = 1; UPDATE docs SET body = 'SECRET'; COMMIT"

// once has step run in the next question only.
func (o *office) once(step func()) {
	var first atomic.Bool
	do := func() {
		if first.CompareAndSwap(false, true) {
			o.between.Store(nil)
			step()
		}
	}
	o.between.Store(&do)
}

func TestWithdrawalAndSecretInOneCommit(t *testing.T) {
	o := openOffice(t)
	r := o.dial("1")
	r.open("s1", "1")
	r.until(`"snapshot"`)
	exec(t, o.db, "UPDATE docs SET body = 'fine'")
	r.until("fine")
	exec(t, o.db, revoke)
	if got := short(r.until(`"closed"`)); got != "s1 0 closed denied" {
		t.Errorf("got %s", got)
	}
	exec(t, o.db, "UPDATE docs SET body = 'SECRET 2'")
	o.seen("SECRET 2")
	r.never("SECRET")
	if got := short(r.open("s1", "1")); got != "s1 2 error denied" {
		t.Errorf("opened again: %s", got)
	}
}

func TestWithdrawalWhilePermissionIsAsked(t *testing.T) {
	o := openOffice(t)
	o.once(func() {
		exec(t, o.db, revoke)
		o.seen("SECRET")
	})
	r := o.dial("1")
	if got := short(r.open("s1", "1")); got != "s1 2 error denied" {
		t.Errorf("got %s", got)
	}
	r.never("SECRET")
}

func TestWithdrawalWhilePermissionIsAskedAgain(t *testing.T) {
	o := openOffice(t)
	r := o.dial("1")
	r.open("s1", "1")
	r.until(`"snapshot"`)
	o.once(func() { exec(t, o.db, revoke) })
	exec(t, o.db, "INSERT INTO members VALUES (9, 1, 9)")
	if got := short(r.until(`"closed"`)); got != "s1 0 closed denied" {
		t.Errorf("got %s", got)
	}
	r.never("SECRET")
}

// TestWithdrawnAndGrantedAgain has both happen before permission is answered:
// what was shown in between was not this user's to see, and is skipped.
func TestWithdrawnAndGrantedAgain(t *testing.T) {
	o := openOffice(t)
	r := o.dial("1")
	r.open("s1", "1")
	r.until(`"snapshot"`)
	o.once(func() {
		exec(t, o.db, revoke)
		exec(t, o.db, "BEGIN; INSERT INTO members VALUES (7, 1, 1); UPDATE docs SET body = 'public'; COMMIT")
		o.seen("public")
	})
	exec(t, o.db, "INSERT INTO members VALUES (9, 1, 9)")
	r.until("public")
	r.never("SECRET")
	r.never("closed")
	exec(t, o.db, "UPDATE docs SET body = 'live'")
	r.until("live")
}

func TestGrantAndCreationInOneCommit(t *testing.T) {
	o := openOffice(t)
	r := o.dial("1")
	if got := short(r.open("s1", "5")); got != "s1 2 error denied" {
		t.Fatal(got)
	}
	exec(t, o.db, "BEGIN; INSERT INTO docs VALUES (5, 'new'); INSERT INTO members VALUES (5, 5, 1); COMMIT")
	if got := short(r.open("s1", "5")); got != "s1 2 opened" {
		t.Fatal(got)
	}
	r.until("new")
}

func TestOthersOfTheAnchorAreAskedAndGoOn(t *testing.T) {
	o := openOffice(t)
	r := o.dial("1")
	r.open("s1", "1")
	other := o.dial("2")
	other.open("s1", "2")
	asked := o.asked.Load()
	exec(t, o.db, "INSERT INTO members VALUES (9, 1, 9)")
	exec(t, o.db, "UPDATE docs SET body = 'after'")
	r.until("after")
	other.until("after")
	if got := o.asked.Load() - asked; got != 1 {
		t.Errorf("permission was asked %d times, want once: of the stream of doc 1", got)
	}
}

// TestStreamsOfOneConnectionAreHeldTogether opens a doc twice: both streams
// show one scope, and both are asked.
func TestStreamsOfOneConnectionAreHeldTogether(t *testing.T) {
	o := openOffice(t)
	r := o.dial("1")
	r.open("s1", "1")
	r.open("s2", "1")
	exec(t, o.db, revoke)
	for range 2 {
		if got := r.until(`"closed"`); !strings.Contains(got, "denied") {
			t.Errorf("got %s", got)
		}
	}
	r.never("SECRET")
}

func TestRecheck(t *testing.T) {
	o := openOffice(t)
	r, other := o.dial("1"), o.dial("2")
	r.open("s1", "1")
	other.open("s1", "1")
	asked := o.asked.Load()
	o.app.Recheck("1")
	exec(t, o.db, "UPDATE docs SET body = 'allowed'")
	r.until("allowed")
	other.until("allowed")
	if got := o.asked.Load() - asked; got != 1 {
		t.Errorf("permission was asked %d times, want once", got)
	}
	o.closed.Store(true)
	o.app.Recheck("1")
	exec(t, o.db, "UPDATE docs SET body = 'SECRET'")
	if got := short(r.until(`"closed"`)); got != "s1 0 closed denied" {
		t.Errorf("got %s", got)
	}
	other.until("SECRET")
	r.never("SECRET")
	o.app.Recheck("nobody")
}

// TestAFailingQuestionClosesTheStream is safe rather than sorry.
func TestAFailingQuestionClosesTheStream(t *testing.T) {
	o := openOffice(t)
	r := o.dial("1")
	r.open("s1", "1")
	o.once(func() { panic("the author slipped") })
	exec(t, o.db, revoke)
	got := r.until(`"closed"`)
	if short(got) != "s1 0 closed internal" || strings.Contains(got, "slipped") {
		t.Errorf("got %s", got)
	}
	r.never("SECRET")
}

func TestManyStreamsAreHeldByWhatConcernsThem(t *testing.T) {
	o := openOffice(t)
	const readers = 20
	exec(t, o.db, `WITH RECURSIVE n(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM n WHERE i < 29)
		INSERT INTO members SELECT i, 1, i FROM n`)
	all := make([]*reader, readers)
	for i := range all {
		all[i] = o.dial(strconv.Itoa(10 + i))
		all[i].open("s1", "1")
	}
	exec(t, o.db, "BEGIN; DELETE FROM members WHERE id % 2 = 0; UPDATE docs SET body = 'SECRET'; COMMIT")
	for i, r := range all {
		if i%2 == 1 {
			r.until("SECRET")
			continue
		}
		r.until(`"closed"`)
		r.never("SECRET")
	}
}
