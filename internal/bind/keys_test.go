package bind_test

import (
	"context"
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/token"
)

type (
	seat struct {
		Hall  int64  `json:"hall" pando:"key"`
		Place string `json:"place" pando:"key"`
		Guest string `json:"guest"`
	}
	device struct {
		ID   [16]byte `json:"id"`
		Name string   `json:"name"`
	}
	word struct {
		ID   string `json:"id" db:"word"`
		Text string `json:"text"`
	}
)

// over is a desk of another model than articles.
func over(t *testing.T, ddl string, spec *bind.Spec) *desk {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "test.db")+"?_pragma=journal_mode(WAL)&_txlock=immediate")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &desk{t: t, db: db}
	d.exec(ddl)
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	d.source = source
	return d.serve(spec)
}

func TestAKeyOfSeveralColumnsIsAString(t *testing.T) {
	spec := specOf[seat](bind.AllFields)
	spec.Model = "m"
	d := over(t, "CREATE TABLE seats (hall INTEGER, place TEXT, guest TEXT NOT NULL, PRIMARY KEY (hall, place)); INSERT INTO seats VALUES (1, 'a,b', 'x')", spec)
	d.replies(`{"action":"update","pk":"1,a%2Cb","data":{"guest":"y"}}`, `{"action":"update","pk":"1,a%2Cb","data":{"guest":"y"},"model":"m"}`)
	if _, err := d.send(`{"action":"update","pk":"1,a%2Cb","data":{"hall":2}}`); code(err) != "invalid" {
		t.Errorf("a part of the key was taken: %v", err)
	}
	if _, err := d.send(`{"action":"delete","pk":1}`); code(err) != "not_found" {
		t.Errorf("a part of the key was taken for it: %v", err)
	}
	_, err := d.send(`{"action":"create","data":{"hall":2,"place":"c","guest":"z"}}`)
	if code(err) != "internal" || !strings.Contains(err.Error(), "give the binding a function Create") {
		t.Errorf("the error is %v", err)
	}
	var keys []any
	spec.Update = func(_ context.Context, _ token.Identity, key any, _ *write.Change) error {
		keys = append(keys, key)
		return nil
	}
	spec.Create = func(ctx context.Context, _ token.Identity, _ *write.Change) (any, error) {
		_, err := txOf(ctx).ExecContext(ctx, "INSERT INTO seats VALUES (3, 'd', 'w')")
		return "3,d", err
	}
	d.replies(`{"action":"create","data":{"guest":"z"}}`, `{"action":"create","pk":"3,d","data":{"guest":"w"},"model":"m"}`)
	d.replies(`{"action":"update","pk":"3,d","data":{}}`, `{"action":"update","pk":"3,d","data":{"guest":"w"},"model":"m"}`)
	if len(keys) != 1 || keys[0] != "3,d" {
		t.Errorf("Update was given the keys %v", keys)
	}
}

func TestAUUIDIsMade(t *testing.T) {
	d := over(t, "CREATE TABLE devices (id TEXT PRIMARY KEY, name TEXT NOT NULL)", specOf[device]("name"))
	made := map[string]bool{}
	for range 2 {
		reply, err := d.send(`{"action":"create","data":{"id":"c0ffee00-0000-4000-8000-000000000001","name":"n"}}`)
		if err != nil {
			t.Fatal(err)
		}
		made[member(t, []byte(reply), "pk")] = true
	}
	if len(made) != 2 || made["c0ffee00-0000-4000-8000-000000000001"] {
		t.Errorf("the keys are %v", made)
	}
	for key := range made {
		if reply, err := d.send(`{"action":"delete","pk":"` + strings.ToUpper(key) + `"}`); err != nil || member(t, []byte(reply), "pk") != key {
			t.Errorf("%s, %v", reply, err)
		}
	}
}

func TestAKeyThatNobodyMakesIsToldToTheAuthor(t *testing.T) {
	d := over(t, "CREATE TABLE words (word TEXT PRIMARY KEY, text TEXT NOT NULL)", specOf[word]("text"))
	_, err := d.send(`{"action":"create","data":{"text":"t"}}`)
	if public, _ := rpc.Public(err); public.Code != "internal" || !strings.Contains(err.Error(), "was neither set nor filled by the database") {
		t.Errorf("the error is %v", err)
	}
	if got := d.value("SELECT count(*) FROM words"); got != `"0"` {
		t.Errorf("%s rows were written", got)
	}
}

func TestKeysBeyondWhatJavaScriptHoldsGoThereAndBack(t *testing.T) {
	spec := specOf[person]("name")
	spec.Model = "m"
	d := over(t, "CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL)", spec)
	for number, pk := range map[int64]string{1<<53 - 1: `9007199254740991`, 1 << 53: `"9007199254740992"`, -1 << 62: `"-4611686018427387904"`} {
		d.exec("INSERT INTO people VALUES (?, 'n')", number)
		for _, sent := range []string{pk, strings.Trim(pk, `"`), `"` + strings.Trim(pk, `"`) + `"`} {
			d.replies(`{"action":"update","pk":`+sent+`,"data":{"name":"x"}}`, `{"action":"update","pk":`+pk+`,"data":{"name":"x"},"model":"m"}`)
		}
	}
}
