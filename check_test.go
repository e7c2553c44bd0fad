package pando_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/schema"
)

// newDocs is an app of docs that does not run.
func newDocs(t *testing.T, db *sql.DB, declare func(*pando.App)) *pando.App {
	t.Helper()
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	declare(app)
	return app
}

func wantCheck(t *testing.T, app *pando.App, faults, hints []string) {
	t.Helper()
	gotFaults, gotHints, err := app.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want []string
	}{{"faults", gotFaults, faults}, {"hints", gotHints, hints}} {
		if len(c.got) != len(c.want) {
			t.Errorf("%s are %q, want %q", c.name, c.got, c.want)
			continue
		}
		for i, part := range c.want {
			if !strings.Contains(c.got[i], part) {
				t.Errorf("%s[%d] is %q, want %q in it", c.name, i, c.got[i], part)
			}
		}
	}
}

func TestCheckTellsOfTheDatabase(t *testing.T) {
	db := pandotest.Database(t)
	declare := func(app *pando.App) {
		app.Handle("boards/{board_id}", pando.For(func() *BoardChannel { return &BoardChannel{} }, pando.Public()))
	}
	app := newDocs(t, db, declare)
	faults, hints, err := app.Check(t.Context())
	if err != nil || len(faults) < 2 || len(hints) != 0 {
		t.Fatalf("an empty database: faults %q, hints %q, %v", faults, hints, err)
	}
	exec(t, db, tables)
	wantCheck(t, app, nil, []string{"the database is not set up"})
	if err := app.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, app, nil, nil)
	exec(t, db, "DROP INDEX cards_list")
	wantCheck(t, app, nil, []string{"reads of table \"cards\" by \"list_id\" look at every row: CREATE INDEX"})
}

// lackingSource has a database that lacks two tables.
type lackingSource struct{ *sqlitefeed.Source }

func (lackingSource) Check(context.Context, []*schema.Table) (bool, error) {
	return false, fmt.Errorf("check the database: %w", errors.Join(errors.New("no table a"), errors.New("no table b")))
}

// TestCheckTellsFaultsApart has a source that says something before all of its faults.
func TestCheckTellsFaultsApart(t *testing.T) {
	source := sqlitefeed.New(pandotest.Database(t))
	defer source.Close()
	app, err := pando.New(pando.Config{Source: lackingSource{source}})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	wantCheck(t, app, []string{"check the database: no table a", "check the database: no table b"}, nil)
}

func TestCheckTellsOfAllDeclarations(t *testing.T) {
	app := newDocs(t, pandotest.Database(t), func(app *pando.App) {
		app.Handle("docs/{doc_id", pando.For(func() *OpenDoc { return &OpenDoc{} }))
		app.Handle("docs", pando.For(func() *OpenDoc { return &OpenDoc{} }))
	})
	wantCheck(t, app, []string{"docs/{doc_id", "docs"}, nil)
}

// hearingDoc hears of what happens elsewhere.
type hearingDoc struct{ OpenDoc }

func (*hearingDoc) OnNews(context.Context, string) error { return nil }

func TestCheckTellsOfEventsThatStayAtHome(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, docs)
	app := newDocs(t, db, func(app *pando.App) {
		app.Handle("docs/{doc_id}", pando.For(func() *hearingDoc { return &hearingDoc{} },
			pando.Consume("news", (*hearingDoc).OnNews), pando.Public()))
	})
	if err := app.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, app, nil, []string{"set Config.Broker where several serve the app"})
}

// awayBroker is one whose server does not answer.
type awayBroker struct{ broker.Broker }

func (awayBroker) NewChannel(context.Context, string) (string, error) {
	return "", errors.New("nobody answers")
}

// TestCheckTellsOfABrokerThatIsAway looks at the database all the same.
func TestCheckTellsOfABrokerThatIsAway(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, docs)
	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source, Broker: awayBroker{}})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }, pando.Public()))
	wantCheck(t, app, []string{"the broker cannot be used: nobody answers"}, []string{"the database is not set up"})
	if err := app.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantCheck(t, app, []string{"the broker cannot be used: nobody answers"}, nil)
}
