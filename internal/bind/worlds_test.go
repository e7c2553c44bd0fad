package bind_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/token"
)

// member is a member of a JSON object, a string without its quotes.
func member(t testing.TB, object []byte, name string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal(object, &members); err != nil {
		t.Fatalf("%s: %v", object, err)
	}
	var text string
	if json.Unmarshal(members[name], &text) == nil {
		return text
	}
	return string(members[name])
}

// sample has values of each field that are its own, and some that are not.
var sample = map[string][]string{
	"title": {`"t%d"`, `"t%d"`, `"second"`, `"forbidden"`, `null`, `7`},
	"body":  {`"b"`, `null`, `[]`}, "stars": {`0`, `5`, `"2"`, `6`, `2.5`, `null`}, "price": {`"1.50"`, `"2.25"`, `1.5`},
	"ref": {`"c0ffee00-0000-4000-8000-000000000001"`, `"no"`}, "posted_at": {`"2026-01-02T03:04:05Z"`, `null`, `"soon"`},
	"doc": {`{"a":1}`, `[1]`, `null`}, "owner": {`1`, `2`, `3`, `null`, `"1"`, `"x"`}, "note": {`"n1"`, `"n2"`, `null`},
	"locked": {`"l"`}, "loud": {`"L"`}, "internal": {`"i"`}, "id": {`1`, `77`}, "deleted_at": {`null`, `"2026-01-02T03:04:05Z"`},
}

// columns are what the fields are in the database.
var columns = map[string]string{"owner": "owner_id"}

// world is a binding of some fields over some rows.
type world struct {
	*rand.Rand
	*desk

	fields []string
}

func (w *world) some(names []string, odds int) []string {
	var some []string
	for _, name := range names {
		if w.IntN(odds) == 0 {
			some = append(some, name)
		}
	}
	return some
}

// message draws a message, and the fields that its data has.
func (w *world) message() (op bind.Op, pk string, names []string, payload string) {
	op = []bind.Op{bind.Create, bind.Create, bind.Update, bind.Update, bind.Update, bind.Update, bind.Delete}[w.IntN(7)]
	pk = strconv.Itoa(1 + w.IntN(9))
	names = w.some(w.fields, 2)
	if w.IntN(10) == 0 {
		names = append(names, w.some(slices.Sorted(keysOf(sample)), 8)...)
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if op == bind.Create && w.IntN(4) > 0 && !slices.Contains(names, "title") && slices.Contains(w.fields, "title") {
		names = append(names, "title")
	}
	var data []string
	for _, name := range names {
		// Most values are the first ones, which are the field's own.
		values := sample[name]
		value := values[min(w.IntN(len(values)), w.IntN(len(values)), w.IntN(len(values)))]
		value = strings.ReplaceAll(value, "%d", strconv.Itoa(w.IntN(100)))
		data = append(data, fmt.Sprintf("%q:%s", name, value))
	}
	return op, pk, names, fmt.Sprintf(`{"action":%q,"pk":%s,"data":{%s}}`, op, pk, strings.Join(data, ","))
}

func keysOf[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// articles are the rows by their keys, each by its columns.
func (w *world) articles() map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, row := range w.rows("SELECT * FROM articles") {
		values := map[string]string{}
		for _, text := range row {
			name, value, _ := strings.Cut(text, "=")
			values[name] = value
		}
		all[strings.Trim(values["id"], `"`)] = values
	}
	return all
}

// changed are the columns in which two rows differ.
func changed(before, after map[string]string) []string {
	var names []string
	for name := range after {
		if before[name] != after[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// step sends one message and looks at what it has done to the rows: nothing when it
// was refused, else only what it says, to the one row, in declared fields.
func (w *world) step() (done bool) {
	op, pk, names, payload := w.message()
	before := w.articles()
	reply, err := w.send(payload)
	after := w.articles()
	var touched []string
	for key, row := range after {
		if len(changed(before[key], row)) > 0 {
			touched = append(touched, key)
		}
	}
	switch {
	case len(before) > len(after):
		w.t.Fatalf("%s: rows are gone", payload)
	case err != nil && len(touched) > 0:
		w.t.Fatalf("%s: it is refused (%v) and has written rows %v", payload, err, touched)
	case err != nil && code(err) == "internal":
		w.t.Fatalf("%s: %v", payload, err)
	case err != nil:
		return false
	}
	told := member(w.t, []byte(reply), "pk")
	if len(touched) > 1 || len(touched) == 1 && touched[0] != told || op != bind.Create && told != pk {
		w.t.Fatalf("%s: it has written rows %v and tells of %s", payload, touched, told)
	}
	if want := w.told(op, told); want != reply {
		w.t.Fatalf("%s:\nthe reply is %s\nthe row is   %s", payload, reply, want)
	}
	if _, there := before[told]; there == (op == bind.Create) {
		w.t.Fatalf("%s: row %s was there before: %v", payload, told, there)
	}
	w.only(payload, op, names, before[told], after[told])
	return true
}

// told is what is to be told of a row, read anew.
func (w *world) told(op bind.Op, pk string) string {
	if op == bind.Delete {
		return fmt.Sprintf(`{"action":"delete","pk":%s%s`, pk, tail)
	}
	found := ""
	w.read(func(row []byte, key string) {
		if key == pk {
			found = fmt.Sprintf(`{"action":%q,"pk":%s,"data":%s%s`, op, pk, row, tail)
		}
	})
	return found
}

// only looks that nothing but declared fields of the message was written.
func (w *world) only(payload string, op bind.Op, names []string, before, after map[string]string) {
	w.t.Helper()
	var may []string
	for _, name := range names {
		column := name
		if columns[name] != "" {
			column = columns[name]
		}
		if slices.Contains(w.fields, name) {
			may = append(may, column)
		}
	}
	switch op {
	case bind.Create:
		may = append(may, "id")
		before = map[string]string{
			"title": "", "body": "NULL", "stars": `"3"`, "price": `"0.50"`, "ref": `"00000000-0000-0000-0000-000000000000"`, "posted_at": "NULL",
			"doc": `"{}"`, "owner_id": "NULL", "locked": `"fast"`, "note": `"none"`, "internal": `"kept"`, "deleted_at": "NULL",
		}
	case bind.Delete:
		may = []string{"deleted_at"}
		if after["deleted_at"] == "NULL" {
			w.t.Fatalf("%s: the row is not deleted", payload)
		}
	case bind.Update:
	}
	for _, name := range changed(before, after) {
		if !slices.Contains(may, name) {
			w.t.Fatalf("%s: it has written %s, from %s to %s", payload, name, before[name], after[name])
		}
	}
}

// TestWhatIsWrittenIsWhatWasDeclaredAndAsked sends random messages to random
// bindings.
func TestWhatIsWrittenIsWhatWasDeclaredAndAsked(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		wander(t, 8, func(s *bind.Spec) *desk { return onSQLite(t, s) })
	})
	t.Run("postgres", func(t *testing.T) {
		servers.Need(t, "postgres")
		wander(t, 2, func(s *bind.Spec) *desk { return onPostgres(t, s) })
	})
}

// wander sends messages to a number of bindings.
func wander(t *testing.T, worlds uint64, open func(*bind.Spec) *desk) {
	t.Helper()
	const messages = 50
	done := 0
	for n := range worlds {
		w := &world{Rand: rand.New(rand.NewPCG(n, 0))}
		w.fields = append(w.some([]string{"body", "stars", "price", "ref", "posted_at", "doc", "owner", "note"}, 2), "title")
		spec := articles()
		spec.Fields = w.fields
		spec.Permit = func(context.Context, token.Identity, bind.Op, any, any) (bool, error) { return w.IntN(8) > 0, nil }
		w.desk = open(spec)
		w.exec("INSERT INTO articles (title) VALUES ('a'), ('b'), ('c'), ('d'), ('e'), ('f')")
		for range messages {
			if w.step() {
				done++
			}
		}
	}
	if least := int(worlds) * messages / 5; done < least {
		t.Errorf("%d messages were carried out, fewer than %d: the test tests little", done, least)
	}
}

// read reads the rows as they are told, by a snapshot of the source.
func (w *world) read(fn func(data []byte, key string)) {
	w.t.Helper()
	view, err := w.source.Snapshot(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer view.Close()
	q := feed.Query{Table: w.model.Table, Column: w.model.All, Values: []schema.Value{schema.TupleValue()}}
	err = view.Rows(w.t.Context(), q, func(row schema.Row) error {
		data, err := w.model.Encode(row)
		fn(data, row[w.model.Table.Key].String())
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}
