package faults_test

import (
	"net/url"
	"strings"
	"testing"
)

// killSenders ends the replication connections, as a server does that restarts.
const killSenders = "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = current_database()"

// TestTakenAway takes from a node, under way, what it cannot do without: it ends
// with the mend, its clients keep what they had, and go on with the next node.
func TestTakenAway(t *testing.T) {
	server := private(t, nil)
	for name, c := range map[string]struct{ take, give []string }{
		"the right to replicate": {[]string{"ALTER ROLE replicator NOREPLICATION", killSenders}, []string{"ALTER ROLE replicator REPLICATION"}},
		"the role":               {[]string{"ALTER ROLE replicator NOLOGIN", killSenders}, []string{"ALTER ROLE replicator LOGIN"}},
		"the publication":        {[]string{"DROP PUBLICATION pando"}, nil},
	} {
		mend := map[string]string{
			"the right to replicate": "ALTER ROLE … REPLICATION", "the role": "pg_hba.conf", "the publication": "run migrate",
		}[name]
		t.Run(name, func(t *testing.T) {
			b := newBooks(t, server)
			b.exec(t, "DROP ROLE IF EXISTS replicator", "CREATE ROLE replicator LOGIN REPLICATION")
			p := parts{handle: b.dsn, replication: as(t, b.dsn, "replicator")}
			n := newNode(t, p).run(t)
			f := serve(t, n)
			w := b.watch(t, f, 1)
			w.shows(t, 0)
			b.turn(t, 1)
			w.shows(t, 1)

			b.exec(t, c.take...)
			b.turn(t, 1) // what is written lets the feed notice
			if err := n.fails(t); !strings.Contains(err.Error(), mend) {
				t.Errorf("Run ends by %v, want the mend %q", err, mend)
			}
			f.use(nil)
			b.exec(t, c.give...)
			f.use(newNode(t, p).run(t))
			w.agrees(t)
			b.turn(t, 1)
			w.agrees(t)
		})
	}
}

// TestTablesThatCannotBeFollowed has nodes end as they start, with the mend.
func TestTablesThatCannotBeFollowed(t *testing.T) {
	server := private(t, nil)
	for change, mend := range map[string]string{
		"ALTER TABLE entries DROP CONSTRAINT entries_pkey": "neither a primary key nor another replica identity",
		"ALTER TABLE entries SET UNLOGGED":                 `ALTER TABLE "public"."entries" SET LOGGED`,
	} {
		t.Run(change, func(t *testing.T) {
			b := newBooks(t, server)
			b.exec(t, change)
			n := newNode(t, b.alone()).run(t)
			if err := n.fails(t); !strings.Contains(err.Error(), mend) || !strings.Contains(err.Error(), `"entries"`) {
				t.Errorf("Run ends by %v, want %q", err, mend)
			}
			// Nothing was published that would have the author's own writes fail.
			b.turn(t, 1)
		})
	}
}

// TestKeyIsDropped drops the key of a table that is followed: PostgreSQL refuses
// to update it and says why, nothing wrong is shown, and all goes on with the key.
func TestKeyIsDropped(t *testing.T) {
	b := newBooks(t, private(t, nil))
	f := serve(t, newNode(t, b.alone()).run(t))
	w := b.watch(t, f, 1)
	w.shows(t, 0)
	b.exec(t, "ALTER TABLE entries DROP CONSTRAINT entries_pkey")
	if err := b.try(t.Context(), 1); err == nil || !strings.Contains(err.Error(), "replica identity") {
		t.Errorf("an update of a table without a key: %v", err)
	}
	if _, err := b.db.ExecContext(t.Context(), "ALTER TABLE entries SET UNLOGGED"); err == nil || !strings.Contains(err.Error(), "publication") {
		t.Errorf("a published table becomes unlogged: %v", err)
	}
	b.exec(t, "ALTER TABLE entries ADD PRIMARY KEY (id)")
	b.turn(t, 1)
	w.agrees(t)
}

// as is the URL for another role.
func as(t *testing.T, dsn, role string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.User(role)
	return u.String()
}
