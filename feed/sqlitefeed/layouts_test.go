package sqlitefeed

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// stamped is a table as everybody writes it: its rows were created some time
// and may be deleted softly.
var stamped = &schema.Table{Name: "notes", Columns: []schema.Column{
	{Name: "id", Kind: schema.Int}, {Name: "board", Kind: schema.Int},
	{Name: "created_at", Kind: schema.Time}, {Name: "deleted_at", Kind: schema.Time, Nullable: true},
}}

func newStamped(t *testing.T) (*Source, *sql.DB, *bytes.Buffer) {
	t.Helper()
	s, db := newTrimmed(t, time.Hour, 1000)
	var logged bytes.Buffer
	s.log = slog.New(slog.NewTextHandler(&logged, nil))
	_, err := db.Exec(`CREATE TABLE notes (id INTEGER PRIMARY KEY, board INTEGER, created_at DATETIME DEFAULT CURRENT_TIMESTAMP, deleted_at DATETIME);
		CREATE INDEX by_time ON notes (board, created_at);
		INSERT INTO notes (id, board) VALUES (1, 1), (2, 1);
		INSERT INTO notes (board, created_at, deleted_at)
			SELECT 1, datetime('2026-01-02', value || ' seconds'), '2026-01-02 03:04:05.000' || value || ' +0000 UTC m=+0.1' FROM json_each('[1, 2, 3, 4]')`)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Setup(context.Background(), []*schema.Table{stamped}); err != nil {
		t.Fatal(err)
	}
	return s, db, &logged
}

// explain returns the selection of a query in a new snapshot, and its plan.
func explain(t *testing.T, s *Source, q *feed.Query) (*selection, string) {
	t.Helper()
	ctx := context.Background()
	opened, err := s.snapshot(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer opened.Close()
	selection, err := newSelection(q, func(column int, ask aspect) (storage, error) {
		return s.forms.of(ctx, &opened.view, q.Table, column, ask)
	})
	if err != nil {
		t.Fatal(err)
	}
	var plan []string
	err = opened.conn.query(ctx, "EXPLAIN QUERY PLAN "+selection.sql(), selection.args, func(row []driver.Value) error {
		plan = append(plan, fmt.Sprint(row[3]))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return selection, strings.Join(plan, "; ")
}

// TestTimesByIndex reads the newest rows of CURRENT_TIMESTAMP by the index.
func TestTimesByIndex(t *testing.T) {
	s, _, logged := newStamped(t)
	newest := feed.Query{Table: stamped, Column: 1, Values: []schema.Value{schema.IntValue(1)}, Order: []schema.Order{{Column: 2, Desc: true}}, Limit: 50}
	between := schema.TimeValue(time.Date(2026, 1, 2, 0, 0, 2, 500_000, time.UTC))
	since := newest
	since.Where = []schema.Bound{{Column: 2, Op: schema.Ge, Values: []schema.Value{between}}}
	rising := newest
	rising.Order = []schema.Order{{Column: 2}}
	rising.After = schema.Row{schema.IntValue(1), schema.IntValue(1), between, {}}
	for _, c := range []struct {
		q    feed.Query
		plan string
	}{
		{newest, "SEARCH notes USING INDEX by_time (board=?)"},
		{since, "SEARCH notes USING INDEX by_time (board=? AND created_at>?)"},
		{rising, "SEARCH notes USING INDEX by_time (board=? AND created_at>?)"},
	} {
		selection, plan := explain(t, s, &c.q)
		if !selection.whole || !strings.HasPrefix(plan, c.plan) || strings.HasSuffix(plan, "FOR ORDER BY") {
			t.Errorf("%s: whole %t, plan %q", selection.sql(), selection.whole, plan)
		}
	}
	if logged.Len() > 0 {
		t.Errorf("logged %s", logged)
	}
}

// TestNullsOfAnyForm asks for NULL in a column whose values SQL cannot compare,
// until one of them is read as NULL.
func TestNullsOfAnyForm(t *testing.T) {
	s, db, logged := newStamped(t)
	q := feed.Query{Table: stamped, Column: 1, Values: []schema.Value{schema.IntValue(1)}, Limit: 2}
	for _, op := range []schema.Op{schema.IsNull, schema.NotNull} {
		q.Where = []schema.Bound{{Column: 3, Op: op}}
		if selection, plan := explain(t, s, &q); !selection.whole {
			t.Errorf("Go is to tell what %s: %s", op, plan)
		}
	}
	if logged.Len() > 0 {
		t.Errorf("logged %s", logged)
	}
	if _, err := db.Exec("UPDATE notes SET deleted_at = 'yesterday' WHERE id = 1"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if selection, plan := explain(t, s, &q); selection.whole {
			t.Errorf("SQL is to tell that 'yesterday' is no time: %s", plan)
		}
	}
	if got := strings.Count(logged.String(), "column=notes.deleted_at"); got != 1 {
		t.Errorf("warned %d times: %s", got, logged)
	}
}
