package manage

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/mux"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew")

// golden compares what a command says with a file in testdata.
func (b *bench) golden(name string, got outcome, code int) {
	b.t.Helper()
	text := strings.ReplaceAll(got.out+got.errOut, filepath.Dir(b.db), "DIR")
	file := filepath.Join("testdata", "check", name+".txt")
	if *rewrite {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			b.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || text != string(want) {
		b.t.Errorf("%s differs from\n%s\n%s (go test -run %s -rewrite writes it)", file, text, want, b.t.Name())
	}
	if got.code != code {
		b.t.Errorf("the code is %d, want %d", got.code, code)
	}
}

type Desk struct {
	ID    int64
	Name  string
	Memos []Memo
}

type Memo struct {
	ID     int64
	DeskID int64
	Body   string
}

type DeskChannel struct {
	pando.Channel[Desk, pando.NoRuntime]
}

func (*DeskChannel) HasPermission(context.Context) (bool, error) { return true, nil }

type MemosChannel struct {
	pando.List[Memo, pando.NoRuntime]
}

func (*MemosChannel) HasPermission(context.Context) (bool, error) { return true, nil }

// deskBench has a real app over a real database.
func deskBench(t *testing.T, statements string, more ...func(*pando.App)) *bench {
	t.Helper()
	b := newBench(t)
	db, err := sql.Open("sqlite", b.db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if _, err := db.ExecContext(t.Context(), "PRAGMA user_version = 1;"+statements); err != nil {
		t.Fatal(err)
	}
	b.change = func(p *Project) {
		source := sqlitefeed.New(db)
		app, err := pando.New(pando.Config{Source: source, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		app.Handle("desks/{desk_id}", pando.For(func() *DeskChannel { return &DeskChannel{} }, pando.Public()))
		for _, declare := range more {
			declare(app)
		}
		closeDB := p.Close
		p.App, p.Migrate = app, nil
		p.Close = func() error { return errors.Join(source.Close(), closeDB()) }
	}
	return b
}

const deskTables = `CREATE TABLE desks (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
	CREATE TABLE memos (id INTEGER PRIMARY KEY, desk_id INTEGER, body TEXT NOT NULL);`

func TestCheck(t *testing.T) {
	b := deskBench(t, deskTables)
	b.golden("not_set_up", b.run("", "check"), 0)
	if got := b.run("", "migrate"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	b.golden("index", b.run("", "check"), 0)
}

func TestCheckShowsBindings(t *testing.T) {
	b := deskBench(t, deskTables, func(app *pando.App) {
		memos := &mux.Binding[Memo]{
			Stream: "memos", Fields: []string{mux.AllFields},
			GroupNames: func(*Memo) []string { return []string{"memos"} },
		}
		app.Mux(mux.RouteClass(&mux.Demultiplexer{Consumers: map[string]mux.Consumer{"memos": memos}, Public: true}, "^/desk/"))
	})
	b.golden("bindings", b.run("", "check"), 0)
}

func TestCheckOfAnAppThatIsWell(t *testing.T) {
	b := deskBench(t, deskTables+"CREATE INDEX memos_desk ON memos (desk_id);")
	if got := b.run("", "migrate"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	dir := filepath.Join(filepath.Dir(b.db), "src")
	open := b.change
	b.change = func(p *Project) { open(p); p.Frontend = dir }
	b.golden("no_frontend", b.run("", "check"), 0)
	if got := b.run("", "makefrontend", "--quiet"); got.code != 0 {
		t.Fatalf("%+v", got)
	}
	b.golden("well", b.run("", "check"), 0)
	files, err := filepath.Glob(filepath.Join(dir, "*.channels.ts"))
	if err != nil || len(files) != 1 {
		t.Fatalf("files are %q, %v", files, err)
	}
	const own = "export const mine = 1\n"
	if err := os.WriteFile(files[0], []byte(own), 0o600); err != nil {
		t.Fatal(err)
	}
	b.golden("by_hand", b.run("", "check"), 1)
	if text, err := os.ReadFile(files[0]); string(text) != own {
		t.Errorf("check wrote a file, %v", err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	b.golden("out_of_date", b.run("", "check"), 1)
	if _, err := os.Stat(files[0]); !os.IsNotExist(err) {
		t.Errorf("check wrote a file, %v", err)
	}
}

func TestCheckOfAnotherDatabase(t *testing.T) {
	b := deskBench(t, "CREATE TABLE desks (id INTEGER PRIMARY KEY, title TEXT NOT NULL);")
	b.golden("database", b.run("", "check"), 1)
}

func TestCheckOfWrongDeclarations(t *testing.T) {
	b := deskBench(t, deskTables, func(app *pando.App) {
		app.Handle("desks/{id}", pando.For(func() *DeskChannel { return &DeskChannel{} }, pando.Public()))
		app.Handle("memos", pando.For(func() *MemosChannel { return &MemosChannel{} }, pando.Where("bodies", pando.Eq("x")), pando.Public()))
	})
	b.golden("declarations", b.run("", "check"), 1)
}

func TestCheckNeedsAnApp(t *testing.T) {
	b := newBench(t)
	b.wantOutcome(b.run("", "check"), 1, "board: this app cannot be checked: set Project.App to what pando.New returned\n")
}
