package pgfeed_test

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/schema"
)

// warnings has what is logged at that level, as many as fit.
type warnings chan string

func (warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }
func (w warnings) WithAttrs([]slog.Attr) slog.Handler             { return w }
func (w warnings) WithGroup(string) slog.Handler                  { return w }

func (w warnings) Handle(_ context.Context, r slog.Record) error {
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	select {
	case w <- line:
	default:
	}
	return nil
}

// TestKeysThatAreDropped warns of each, also of that of a partition, and of none
// that is only replaced; the feed goes on with the key as if nothing had been.
func TestKeysThatAreDropped(t *testing.T) {
	_, dsn := freshDB(t)
	db := openDB(t, dsn)
	execAll(t, db, createItemTable, "CREATE TABLE parts (id bigint PRIMARY KEY) PARTITION BY RANGE (id)", "CREATE TABLE parts_1 (id bigint PRIMARY KEY)",
		"ALTER TABLE parts ATTACH PARTITION parts_1 FOR VALUES FROM (0) TO (10)")
	told := make(warnings, 100)
	source, err := pgfeed.Open(dsn, pgfeed.WithLogger(slog.New(told)))
	if err != nil {
		t.Fatal(err)
	}
	defer closing(t, source)
	if err := source.Setup(t.Context(), []*schema.Table{itemTable, declare("parts", "id int")}); err != nil {
		t.Fatal(err)
	}
	recorder, stop := feedtest.Record(t, source)
	defer stop()
	recorder.Reach(source)
	lost := func(table string) {
		t.Helper()
		select {
		case line := <-told:
			if !strings.Contains(line, "ADD PRIMARY KEY") || !strings.HasSuffix(line, "table="+table) {
				t.Errorf("warned of %q, want %s", line, table)
			}
		case <-time.After(deadline):
			t.Fatalf("nothing is said of the key of %s", table)
		}
	}
	execAll(t, db, "BEGIN; ALTER TABLE items DROP CONSTRAINT items_pkey; ALTER TABLE items ADD PRIMARY KEY (id); COMMIT",
		"ALTER TABLE parts DROP CONSTRAINT parts_pkey")
	lost("public.parts")
	execAll(t, db, "ALTER TABLE items DROP CONSTRAINT items_pkey")
	lost("public.items")
	starts := len(recorder.Starts(1))
	execAll(t, db, "ALTER TABLE items ADD PRIMARY KEY (id)", "ALTER TABLE parts ADD PRIMARY KEY (id)", "INSERT INTO items VALUES (1, 'a')", "UPDATE items SET name = 'b'")
	recorder.Reach(source)
	if n := len(recorder.Starts(1)); n != starts || len(recorder.Commits()) != 2 {
		t.Errorf("with the keys again: %d starts, were %d, and %d commits", n, starts, len(recorder.Commits()))
	}
}

// TestWatchedRowsThatAreNotToldApart hints at the identity where it would help.
func TestWatchedRowsThatAreNotToldApart(t *testing.T) {
	db, dsn := freshDB(t, "CREATE TABLE members (id bigint PRIMARY KEY, room_id bigint)", "CREATE TABLE guests (room_id bigint, user_id bigint, PRIMARY KEY (room_id, user_id))")
	members, guests := declare("members", "id int", "room_id int?!"), declare("guests", "key text", "room_id int!", "user_id int!")
	guests.Columns[0] = schema.Column{Name: "key", Parts: []int{1, 2}}
	members.Watched, guests.Watched = []int{1}, []int{1}
	tables := []*schema.Table{members, guests}
	hinted := func(opts ...pgfeed.Option) []string {
		t.Helper()
		source := openSource(t, dsn, opts...)
		if err := source.Setup(t.Context(), tables); err != nil {
			t.Fatal(err)
		}
		hints, err := source.Hints(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(hints, func(hint string) bool { return !strings.Contains(hint, "IDENTITY") })
	}
	if hints := hinted(); len(hints) != 1 || !strings.Contains(hints[0], `"members"`) || !strings.Contains(hints[0], "room_id") || !strings.Contains(hints[0], "ALTER TABLE public.members REPLICA IDENTITY FULL") {
		t.Errorf("hints are %q", hints)
	}
	if hints := hinted(pgfeed.WithSchema("triggers"), pgfeed.WithTriggerLog()); len(hints) != 0 {
		t.Errorf("with triggers: %q", hints)
	}
	execAll(t, db, "ALTER TABLE members REPLICA IDENTITY FULL")
	if hints := hinted(); len(hints) != 0 {
		t.Errorf("with the identity: %q", hints)
	}
}

// TestGrantsOfProviders prints what lets a role replicate where nobody may give the
// attribute.
func TestGrantsOfProviders(t *testing.T) {
	db, dsn := freshDB(t, createItemTable)
	source, tables := openSource(t, dsn), []*schema.Table{itemTable}
	for want, prepare := range map[string][]string{
		`ALTER ROLE "shop" REPLICATION`:   nil,
		`GRANT rds_replication TO "shop"`: {"CREATE ROLE rds_replication"},
	} {
		execAll(t, db, prepare...)
		grants, err := source.Grants(t.Context(), tables, "shop")
		execAll(t, db, "DROP ROLE IF EXISTS rds_replication")
		if err != nil || !slices.Contains(grants, want) || slices.ContainsFunc(grants, func(g string) bool { return g != want && strings.Contains(strings.ToUpper(g), "REPLICATION") }) {
			t.Errorf("grants are %q, %v, want %s", grants, err, want)
		}
	}
	triggers, err := openSource(t, dsn, pgfeed.WithTriggerLog()).Grants(t.Context(), tables, "shop")
	if err != nil {
		t.Fatal(err)
	}
	if sorted := slices.Sorted(slices.Values(triggers)); len(slices.Compact(sorted)) != len(triggers) {
		t.Errorf("something is granted twice: %q", triggers)
	}
}
