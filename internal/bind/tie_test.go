package bind_test

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/token"
)

// book is a row whose tags a client may set.
type book struct {
	ID    int64  `json:"id"`
	Title string `json:"title"`
	Tags  []mark `json:"tags" pando:"through:book_tags,target:tag_id"`
}

type mark struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

func (*book) TableName() string { return "books" }
func (*mark) TableName() string { return "tags" }

const booksDDL = `
CREATE TABLE books (id SERIAL PRIMARY KEY, title TEXT NOT NULL DEFAULT '');
CREATE TABLE tags (id SERIAL PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE book_tags (book_id INTEGER NOT NULL REFERENCES books (id), tag_id INTEGER NOT NULL, PRIMARY KEY (book_id, tag_id));
INSERT INTO books (title) VALUES ('one'), ('two');
INSERT INTO tags (name) VALUES ('a'), ('b'), ('c');
INSERT INTO book_tags (book_id, tag_id) VALUES (1, 2), (1, 1), (2, 3);
`

// permitted is what HasPermission was asked.
type permitted struct{ was, is []int64 }

func booksSpec(asked *permitted) *bind.Spec {
	keys := func(row any) []int64 {
		b, _ := row.(*book)
		if b == nil {
			return nil
		}
		ids := []int64{}
		for _, m := range b.Tags {
			ids = append(ids, m.ID)
		}
		return ids
	}
	return &bind.Spec{
		Stream: "books", Model: "shop.book", GoType: reflect.TypeFor[book](), Fields: []string{bind.AllFields},
		Groups: func(any) []string { return []string{"readers"} },
		Permit: func(_ context.Context, _ token.Identity, _ bind.Op, before, after any) (bool, error) {
			asked.was, asked.is = keys(before), keys(after)
			return len(asked.is) == 0 || asked.is[0] != 3, nil
		},
	}
}

// TestManyToManyIsWrittenAsKeys sets them on create and on update.
func TestManyToManyIsWrittenAsKeys(t *testing.T) {
	onEachOf(t, booksDDL, func(t *testing.T, open func() *desk) {
		var asked permitted
		d := open().serve(booksSpec(&asked))
		const tail = `,"model":"shop.book"}`
		ties := func(want string) {
			t.Helper()
			var all []string
			for _, row := range d.rows("SELECT book_id, tag_id FROM book_tags ORDER BY book_id, tag_id") {
				all = append(all, strings.NewReplacer(`book_id="`, "", `tag_id="`, "", `"`, "").Replace(strings.Join(row, ":")))
			}
			if got := strings.Join(all, " "); got != want {
				t.Errorf("the table between has %s, want %s", got, want)
			}
		}
		d.replies(`{"action":"create","data":{"title":"new","tags":[2,1,2]}}`, `{"action":"create","pk":3,"data":{"title":"new","tags":[1,2]}`+tail)
		ties("1:1 1:2 2:3 3:1 3:2")
		if want := (permitted{nil, []int64{1, 2}}); !reflect.DeepEqual(asked, want) {
			t.Errorf("HasPermission was asked of %v, want %v", asked, want)
		}
		d.replies(`{"action":"update","pk":1,"data":{"tags":[2,"3"]}}`, `{"action":"update","pk":1,"data":{"title":"one","tags":[2,3]}`+tail)
		ties("1:2 1:3 2:3 3:1 3:2")
		if want := (permitted{[]int64{1, 2}, []int64{2, 3}}); !reflect.DeepEqual(asked, want) {
			t.Errorf("HasPermission was asked of %v, want %v", asked, want)
		}
		d.replies(`{"action":"update","pk":1,"data":{"title":"uno"}}`, `{"action":"update","pk":1,"data":{"title":"uno","tags":[2,3]}`+tail)
		d.replies(`{"action":"update","pk":1,"data":{"tags":[]}}`, `{"action":"update","pk":1,"data":{"title":"uno","tags":[]}`+tail)
		ties("2:3 3:1 3:2")
		for data, want := range map[string]string{
			`{"tags":[1,9]}`: "invalid: tags: has the key of no row: 9", `{"tags":null}`: "invalid: tags: is no list of keys",
			`{"tags":[[1]]}`: "invalid: tags: is no list of keys", `{"tags":["x"]}`: "invalid: tags: is no list of keys",
			`{"tags":[null]}`: "invalid: tags: is no list of keys", `{"title":"x","tags":[3]}`: "denied: update is not permitted",
		} {
			d.refused(`{"action":"update","pk":1,"data":`+data+`}`, want)
		}
		ties("2:3 3:1 3:2")
		d.again.Store(1)
		d.replies(`{"action":"update","pk":3,"data":{"tags":[2]}}`, `{"action":"update","pk":3,"data":{"title":"new","tags":[2]}`+tail)
		d.replies(`{"action":"delete","pk":2}`, `{"action":"delete","pk":2`+tail)
		ties("3:2")
	})
}

// TestManyToManyOfAnOwnCreate is written for it.
func TestManyToManyOfAnOwnCreate(t *testing.T) {
	onEachOf(t, booksDDL, func(t *testing.T, open func() *desk) {
		spec := booksSpec(&permitted{})
		spec.Create = func(ctx context.Context, _ token.Identity, _ *write.Change) (any, error) {
			_, err := txOf(ctx).ExecContext(ctx, "INSERT INTO books (id, title) VALUES (70, 'own')")
			return 70, err
		}
		d := open().serve(spec)
		d.replies(`{"action":"create","data":{"tags":[2]}}`, `{"action":"create","pk":70,"data":{"title":"own","tags":[2]},"model":"shop.book"}`)
	})
}

// TestATableBetweenThatNeedsMoreIsRefused as the app starts.
func TestATableBetweenThatNeedsMoreIsRefused(t *testing.T) {
	const more = "DROP TABLE book_tags; CREATE TABLE book_tags (id SERIAL PRIMARY KEY, book_id INTEGER NOT NULL, tag_id INTEGER NOT NULL, by TEXT NOT NULL, UNIQUE (book_id, tag_id));"
	onEachOf(t, booksDDL+more, func(t *testing.T, open func() *desk) {
		err := open().setup(booksSpec(&permitted{}))
		if want := `column "by" of table "book_tags" must have a value`; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
		spec := booksSpec(&permitted{})
		spec.Permit = nil
		if err := open().setup(spec); err != nil {
			t.Errorf("who writes nothing needs no default: %v", err)
		}
	})
}

// TestManyToManyAsKeysOfEachCommit follows both databases: what changes in the
// table between alone is an update of the row, of both where a row of it moves.
func TestManyToManyAsKeysOfEachCommit(t *testing.T) {
	ddl := []string{
		"CREATE TABLE sheets (id INTEGER PRIMARY KEY, rooms TEXT NOT NULL, rev INTEGER NOT NULL DEFAULT 1)",
		"CREATE TABLE sheet_labels (id INTEGER PRIMARY KEY, sheet_id INTEGER NOT NULL, label_id INTEGER NOT NULL)",
		"CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT NOT NULL DEFAULT '')",
	}
	onRealOf(t, sheetSpec, ddl, ddl, func(r *actual) {
		t := r.t
		c := r.connect("a")
		said := func(what string, want ...string) {
			t.Helper()
			var all []json.RawMessage
			until(r.t, func() bool {
				all = append(all, c.read()...)
				return len(all) >= len(want)
			})
			var got []string
			for _, m := range all {
				var s struct {
					Action string
					PK     int64
					Data   sheetData
				}
				if err := json.Unmarshal(m, &s); err != nil {
					t.Fatal(err)
				}
				got = append(got, s.Action+" "+strconv.FormatInt(s.PK, 10)+" "+string(s.Data.Labels))
			}
			r.expect(what, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		r.tx(true, "INSERT INTO sheets (id, rooms) VALUES (1, 'a'), (2, 'a')", "INSERT INTO sheet_labels VALUES (1, 1, 20), (2, 1, 3)")
		said("a row with its keys", "create 1 [3,20]", "create 2 []")
		r.exec("INSERT INTO sheet_labels VALUES (3, 2, 5)")
		said("the table between alone", "update 2 [5]")
		r.exec("UPDATE sheet_labels SET sheet_id = 2 WHERE id = 1")
		said("a row of it that moves", "update 1 [3]", "update 2 [5,20]")
		r.tx(true, "INSERT INTO sheet_labels VALUES (9, 1, 8)", "DELETE FROM sheet_labels WHERE id = 9")
		r.exec("INSERT INTO sheet_labels VALUES (10, 1, 3)")
		r.exec("INSERT INTO sheet_labels VALUES (11, 77, 3)")
		r.exec("UPDATE sheets SET rev = 2 WHERE id = 1")
		said("nothing of what leaves the keys as they are", "update 1 [3]")
		for label := range 30 {
			r.exec(fmt.Sprintf("UPDATE sheet_labels SET label_id = %d WHERE id = 3", 100+label))
		}
		// SQLite's source may tell some of them as one, but each with its own keys.
		at := 0
		var all []json.RawMessage
		until(r.t, func() bool {
			all = append(all, c.read()...)
			return len(all) > 0 && strings.Contains(string(all[len(all)-1]), `"labels":[20,129]`)
		})
		for _, m := range all {
			var now int
			if _, err := fmt.Sscanf(string(m), `{"action":"update","pk":2,"data":{"rooms":"a","rev":1,"labels":[20,%d]}`, &now); err != nil || now <= at {
				t.Fatalf("%s after %d: %v", m, at, err)
			}
			at = now
		}
		if strings.HasSuffix(t.Name(), "postgres") && len(all) != 30 {
			t.Errorf("%d of 30 commits were told", len(all))
		}
		r.exec("UPDATE sheets SET id = 77 WHERE id = 1")
		said("another key", "delete 1 ", "create 77 [3]")
		done := c.subscribe()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		all = nil
		until(r.t, func() bool { all = append(all, c.read()...); return len(all) > 0 })
		r.expect("a subscription", string(all[0]), `{"action":"snapshot","rows":[{"pk":2,"data":{"rooms":"a","rev":1,"labels":[20,129]}},`+
			`{"pk":77,"data":{"rooms":"a","rev":2,"labels":[3]}}],"model":"bind.sheet"}`)
	})
}
