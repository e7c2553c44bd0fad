package write_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/schema"
)

type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

type Comment struct {
	ID       int64  `json:"id"`
	Body     string `json:"body"`
	AuthorID *int64 `json:"-"`
	Author   *User  `json:"author"`
}

type Card struct {
	ID        int64     `json:"id"`
	ListID    int64     `json:"list_id"`
	Title     string    `json:"title"`
	Size      int8      `json:"size"`
	Frozen    string    `json:"frozen" pando:"readonly"`
	Pin       *string   `json:"pin" pando:"writeonly"`
	DeletedAt *string   `json:"deleted_at" pando:"kind:time" bun:",soft_delete,nullzero"`
	Assignee  *User     `json:"assignee"`
	Comments  []Comment `json:"comments"`
	Shout     string    `json:"shout" pando:"computed:Loud"`
}

func (c Card) Loud() string { return strings.ToUpper(c.Title) }

type List struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Cards []Card `json:"cards"`
}

type Board struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Owner *User  `json:"owner"`
	Lists []List `json:"lists"`
}

const boards = `
CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE boards (id INTEGER PRIMARY KEY, name TEXT NOT NULL, owner_id INTEGER);
CREATE TABLE lists (id INTEGER PRIMARY KEY, board_id INTEGER, name TEXT NOT NULL);
CREATE TABLE cards (id INTEGER PRIMARY KEY, list_id INTEGER NOT NULL, title TEXT NOT NULL UNIQUE, size INTEGER NOT NULL DEFAULT 1,
	frozen TEXT NOT NULL DEFAULT 'ice', pin TEXT, deleted_at TEXT, assignee_id INTEGER, CHECK (title != 'bad'));
CREATE TABLE comments (id INTEGER PRIMARY KEY, card_id INTEGER REFERENCES cards(id), author_id INTEGER REFERENCES users(id), body TEXT NOT NULL);
INSERT INTO users VALUES (1, 'ada'), (2, 'grace'), (3, 'eve');
INSERT INTO boards VALUES (1, 'Mine', 1), (2, 'Hers', 2);
INSERT INTO lists VALUES (1, 1, 'Todo'), (2, 1, 'Done'), (3, 2, 'Hidden');
INSERT INTO cards (id, list_id, title, pin, assignee_id) VALUES (1, 1, 'Milk', '1234', 1), (2, 2, 'Eggs', NULL, NULL), (3, 3, 'Plan', NULL, 3), (4, 1, 'Gone', NULL, NULL);
UPDATE cards SET deleted_at = '2024-02-29T12:00:00.000000Z' WHERE id = 4;
INSERT INTO comments VALUES (1, 1, 1, 'Two litres'), (2, 3, 2, 'Nobody knows');
`

var wholeBoard = schema.Include("Owner", "Lists", "Lists.Cards", "Lists.Cards.Assignee", "Lists.Cards.Comments", "Lists.Cards.Comments.Author")

func board(t *testing.T) (*bench, *write.Stream) {
	b := workbench(t, boards, Board{}, wholeBoard)
	return b, b.anchored("1", 0)
}

// attempt is a request and how it ends.
type attempt struct {
	what string
	op   write.Op
	typ  string
	id   string // the key, or where a row is created
	data string
	want string
}

// attempts makes requests one by one. None but those that end well may change
// anything.
func (b *bench) attempts(s *write.Stream, all []attempt) {
	b.t.Helper()
	for _, a := range all {
		before := b.dump()
		var err error
		switch a.op {
		case write.Create:
			_, err = b.create(s, a.typ, a.id, a.data)
		case write.Delete:
			_, err = b.apply(s, write.Request{Op: write.Delete, Type: a.typ, ID: a.id, Data: object(b.t, a.data)})
		default:
			_, err = b.apply(s, write.Request{Op: a.op, Type: a.typ, ID: a.id, Data: object(b.t, a.data)})
		}
		b.want(a.what, a.want, before, err)
	}
}

func TestWhatIsNotOfferedIsUnknown(t *testing.T) {
	b, s := board(t)
	delete(b.offers["List"].Permit, write.Delete)
	b.attempts(s, []attempt{
		{"another type", write.Save, "Secret", "1", `{}`, "unknown_write"},
		{"a place", write.Save, "@Board", "1", `{}`, "unknown_write"},
		{"no type", write.Save, "", "1", `{}`, "unknown_write"},
		{"another operation", "drop", "Card", "1", `{}`, "unknown_write"},
		{"an operation that is not offered", write.Delete, "List", "1", "", "unknown_write"},
		{"another field", write.Save, "Card", "1", `{"owner":"1"}`, "unknown_write"},
		{"the key", write.Save, "Card", "1", `{"id":"9"}`, "unknown_write"},
		{"the key of a new row", write.Create, "Card", "List 1 cards", `{"id":"9","title":"x"}`, "unknown_write"},
		{"a hidden field", write.Save, "Card", "1", `{"@assignee_id":"9"}`, "unknown_write"},
		{"a field by its name in Go", write.Save, "Card", "1", `{"Title":"x"}`, "unknown_write"},
		{"a read-only field", write.Save, "Card", "1", `{"frozen":"x"}`, "unknown_write"},
		{"a computed field", write.Save, "Card", "1", `{"shout":"x"}`, "unknown_write"},
		{"the column that tells deleted rows", write.Save, "Card", "1", `{"deleted_at":null}`, "unknown_write"},
		{"a has-many relation", write.Save, "Card", "1", `{"comments":[]}`, "unknown_write"},
		{"another relation", write.Create, "Card", "List 1 comments", `{"title":"x"}`, "unknown_write"},
		{"the relation of another type", write.Create, "Card", "Board 1 cards", `{"title":"x"}`, "unknown_write"},
		{"a list that there is not", write.Create, "Card", "", `{"title":"x"}`, "unknown_write"},
		{"a row of a belongs-to relation", write.Create, "User", "Board 1 owner", `{"name":"x"}`, "unknown_write"},
		{"half a place", write.Create, "Card", "List 1", `{"title":"x"}`, "bad_request"},
		{"a delete with data", write.Delete, "Card", "1", `{"title":"x"}`, "bad_request"},
	})
	_, err := b.apply(s, write.Request{Op: write.Create, Type: "Card", ID: "7", In: []string{"List", "1", "cards"}})
	b.want("a new row with a key", "bad_request", b.dump(), err)
	_, err = b.apply(s, write.Request{Op: write.Save, Type: "Card", ID: "1", In: []string{"List", "1", "cards"}})
	b.want("a save with a place", "bad_request", b.dump(), err)
}

// TestRowsOutsideOfTheTree guesses keys: the answer is the same for rows that do
// not exist and for those of others.
func TestRowsOutsideOfTheTree(t *testing.T) {
	b, s := board(t)
	for _, id := range []string{"3", "4", "77", "-1", "", "x", "1.0", "01", "9223372036854775808", "null", strings.Repeat("1", 2000), "1,1", "1 OR 1=1"} {
		for _, op := range []write.Op{write.Save, write.Delete} {
			_, err := b.apply(s, write.Request{Op: op, Type: "Card", ID: id})
			b.want(string(op)+" of card "+id, "denied", b.dump(), err)
			if err == nil || err.Error() != "denied: the row is not in the stream's tree" {
				t.Errorf("%s of card %s tells more than that it is denied: %v", op, id, err)
			}
		}
		_, err := b.apply(s, write.Request{Op: write.Create, Type: "Comment", In: []string{"Card", id, "comments"}, Data: object(t, `{"body":"x"}`)})
		b.want("a comment on card "+id, "denied", b.dump(), err)
	}
	b.attempts(s, []attempt{
		{"another board", write.Save, "Board", "2", `{"name":"x"}`, "denied"},
		{"the list of another board", write.Save, "List", "3", `{"name":"x"}`, "denied"},
		{"a comment of another board", write.Delete, "Comment", "2", "", "denied"},
		{"a user of another board", write.Save, "User", "3", `{"name":"x"}`, "denied"},
		{"a wrong value for a row of others", write.Save, "Card", "3", `{"title":7}`, "denied"},
		{"a user who owns the board", write.Save, "User", "1", `{"name":"Ada"}`, "ok"},
		{"the anchor", write.Save, "Board", "1", `{"name":"Ours"}`, "ok"},
		{"a row far below", write.Save, "Comment", "1", `{"body":"Three"}`, "ok"},
		{"nothing to do", write.Save, "Card", "1", `{}`, "ok"},
	})
	b.exec("UPDATE boards SET owner_id = NULL; UPDATE cards SET assignee_id = NULL WHERE id = 1; UPDATE comments SET author_id = NULL WHERE id = 1")
	b.attempts(s, []attempt{{"a user whom nothing leads to any more", write.Save, "User", "1", `{"name":"x"}`, "denied"}})
	b.attempts(b.anchored("9", 0), []attempt{{"a board that there is not", write.Save, "Card", "1", `{"title":"x"}`, "denied"}})
}

func TestSaveSetsOnlyWhatIsGiven(t *testing.T) {
	b, s := board(t)
	b.attempts(s, []attempt{{"two fields", write.Save, "Card", "1", `{"title":"Oats","pin":"4321"}`, "ok"}})
	const row = "SELECT json_array(list_id, title, size, frozen, pin, assignee_id, deleted_at) FROM cards WHERE id = 1"
	if got := b.one(row); got != `[1,"Oats",1,"ice","4321",1,null]` {
		t.Errorf("the row is %s", got)
	}
	b.attempts(s, []attempt{{"NULL", write.Save, "Card", "1", `{"pin":null,"assignee":null,"size":-128}`, "ok"}})
	if got := b.one(row); got != `[1,"Oats",-128,"ice",null,null,null]` {
		t.Errorf("the row is %s", got)
	}
}

func TestCreateSetsTheLink(t *testing.T) {
	b, s := board(t)
	key, err := b.create(s, "Card", "List 2 cards", `{"title":"Bread","assignee":"1","list_id":"3"}`)
	if got := code(err); got != "ok" || key != "5" {
		t.Fatalf("created %q: %s", key, got)
	}
	if got := b.one("SELECT json_array(list_id, title, size, assignee_id) FROM cards WHERE id = 5"); got != `[2,"Bread",1,1]` {
		t.Errorf("the row is %s", got)
	}
	if key, err = b.create(s, "Comment", "Card 5 comments", `{"body":"Rye"}`); err != nil || key != "3" {
		t.Fatalf("created %q: %v", key, err)
	}
	b.attempts(s, []attempt{
		{"below a list of others", write.Create, "Card", "List 3 cards", `{"title":"x"}`, "denied"},
		{"below a list that there is not", write.Create, "Card", "List 9 cards", `{"title":"x"}`, "denied"},
		{"below a deleted card", write.Create, "Comment", "Card 4 comments", `{"body":"x"}`, "denied"},
		{"without a title", write.Create, "Card", "List 1 cards", `{}`, "invalid title"},
	})
}

func TestMovingRows(t *testing.T) {
	b, s := board(t)
	b.attempts(s, []attempt{
		{"to another list of the board", write.Save, "Card", "1", `{"list_id":"2"}`, "ok"},
		{"where it is", write.Save, "Card", "1", `{"list_id":"2"}`, "ok"},
		{"to a list of others", write.Save, "Card", "1", `{"list_id":"3"}`, "denied list_id"},
		{"to a list that there is not", write.Save, "Card", "1", `{"list_id":"9"}`, "denied list_id"},
		{"a card of others into the board", write.Save, "Card", "3", `{"list_id":"1"}`, "denied"},
	})
	b.offers["Card"].MayLeave = true
	b.attempts(s, []attempt{{"to a list of others, though it may leave", write.Save, "Card", "1", `{"list_id":"3"}`, "denied list_id"}})
	b.offers["Card"].CanLink[b.offers["List"].Type] = func(context.Context, any, schema.Row) error { return nil }
	b.offers["Card"].MayLeave = false
	b.attempts(s, []attempt{{"out of the tree, though it may link", write.Save, "Card", "1", `{"list_id":"3"}`, "denied"}})
	b.offers["Card"].MayLeave = true
	b.attempts(s, []attempt{
		{"out of the tree", write.Save, "Card", "1", `{"list_id":"3"}`, "ok"},
		{"back, from where the row is not seen", write.Save, "Card", "1", `{"list_id":"1"}`, "denied"},
	})
	b.attempts(b.anchored("2", 0), []attempt{{"back, from the board where it is", write.Save, "Card", "1", `{"list_id":"1"}`, "ok"}})
}

func TestLinks(t *testing.T) {
	b, s := board(t)
	var asked []string
	card := b.offers["Card"]
	b.attempts(s, []attempt{
		{"to a user of the tree", write.Save, "Card", "2", `{"assignee":"1"}`, "ok"},
		{"to a user outside of it", write.Save, "Card", "2", `{"assignee":"2"}`, "denied assignee"},
		{"to a user that there is not", write.Save, "Card", "2", `{"assignee":"9"}`, "denied assignee"},
		{"a new row to a user outside", write.Create, "Card", "List 1 cards", `{"title":"x","assignee":"2"}`, "denied assignee"},
		{"to nobody", write.Save, "Card", "2", `{"assignee":null}`, "ok"},
	})
	b.exec("UPDATE cards SET assignee_id = 3 WHERE id = 1")
	b.attempts(s, []attempt{
		{"to a user of another card", write.Save, "Card", "2", `{"assignee":"3"}`, "ok"},
	})
	card.CanLink[b.offers["User"].Type] = func(_ context.Context, _ any, row schema.Row) error {
		asked = append(asked, row[1].String())
		switch row[1].String() {
		case "grace":
			return nil
		case "hal":
			panic("cannot do that")
		}
		return rpc.Errorf("not_yours", "no")
	}
	b.exec("INSERT INTO users VALUES (4, 'ken'), (5, 'hal')")
	b.attempts(s, []attempt{
		{"where CanLink allows", write.Save, "Card", "2", `{"assignee":"2"}`, "ok"},
		{"where it is already", write.Save, "Card", "2", `{"assignee":"2"}`, "ok"},
		{"where CanLink refuses", write.Save, "Card", "2", `{"assignee":"4"}`, "not_yours"},
		{"to a user that there is not", write.Save, "Card", "2", `{"assignee":"9"}`, "denied assignee"},
	})
	if got := strings.Join(asked, " "); got != "grace ken" {
		t.Errorf("CanLink was asked about %s", got)
	}
	if err := b.save(s, "Card", "2", `{"assignee":"5"}`); err == nil || !strings.Contains(err.Error(), "panic: cannot do that") {
		t.Errorf("a panic in CanLink: %v", err)
	}
}

func TestValues(t *testing.T) {
	b, s := board(t)
	b.attempts(s, []attempt{
		{"a number for a text", write.Save, "Card", "1", `{"title":7}`, "invalid title"},
		{"an object for a text", write.Save, "Card", "1", `{"title":{"$gt":""}}`, "invalid title"},
		{"null", write.Save, "Card", "1", `{"title":null}`, "invalid title"},
		{"null for a link that is not null", write.Save, "Card", "1", `{"list_id":null}`, "invalid list_id"},
		{"too large a number", write.Save, "Card", "1", `{"size":128}`, "invalid size"},
		{"half a number", write.Save, "Card", "1", `{"size":1.5}`, "invalid size"},
		{"several", write.Save, "Card", "1", `{"size":"x","title":false,"assignee":{}}`, "invalid assignee size title"},
		{"a key that is none", write.Save, "Card", "1", `{"assignee":"x"}`, "invalid assignee"},
		{"a check of the database", write.Save, "Card", "1", `{"title":"bad"}`, "invalid"},
		{"a title that is taken", write.Save, "Card", "1", `{"title":"Eggs"}`, "conflict title"},
		{"a new title that is taken", write.Create, "Card", "List 1 cards", `{"title":"Eggs"}`, "conflict title"},
		{"a row that others refer to", write.Delete, "Comment", "1", "", "ok"},
	})
	err := b.save(s, "Card", "1", `{"title":"Eggs"}`)
	var coded *rpc.Error
	if coded, _ = rpc.Public(err); coded.Fields["title"] != "exists already" {
		t.Errorf("the field's text is %q", coded.Fields["title"])
	}
}

func TestDelete(t *testing.T) {
	b, s := board(t)
	b.attempts(s, []attempt{
		{"a card, which stays", write.Delete, "Card", "1", "", "ok"},
		{"again", write.Delete, "Card", "1", "", "denied"},
		{"what stood below", write.Save, "Comment", "1", `{"body":"x"}`, "denied"},
	})
	if got := b.one("SELECT deleted_at LIKE '20%Z' FROM cards WHERE id = 1"); got != "1" {
		t.Errorf("the row is deleted: %s", got)
	}
	b.exec("INSERT INTO comments VALUES (5, 2, 1, 'x')")
	b.attempts(s, []attempt{
		{"a user to whom rows refer", write.Delete, "User", "1", "", "conflict"},
		{"a comment", write.Delete, "Comment", "5", "", "ok"},
	})
	if got := b.one("SELECT count(*) FROM comments WHERE id = 5"); got != "0" {
		t.Errorf("%s rows are left", got)
	}
}

func TestSeen(t *testing.T) {
	b, s := board(t)
	for _, c := range []struct{ seen, want string }{
		{`{"title":"Milk"}`, "ok"},
		{`{"title":"Milk","size":1,"assignee":"1","list_id":"1"}`, "ok"},
		{`{"title":"Mlik"}`, "conflict title"},
		{`{"title":"Mlik","size":2,"assignee":null}`, "conflict assignee size title"},
		{`{"title":7}`, "conflict title"},
		{`{"pin":"1234"}`, "unknown_write"}, // what is never sent cannot be guessed
		{`{"pin":"9999"}`, "unknown_write"},
		{`{"nonsense":1}`, "unknown_write"},
	} {
		before := b.dump()
		_, err := b.apply(s, write.Request{Op: write.Save, Type: "Card", ID: "1", Data: object(t, `{"size":1}`), Seen: object(t, c.seen)})
		b.want("seen "+c.seen, c.want, before, err)
	}
	_, err := b.apply(s, write.Request{Op: write.Save, Type: "Card", ID: "2", Seen: object(t, `{"assignee":{}}`)})
	if got := code(err); got != "conflict assignee" {
		t.Errorf("what cannot be read was seen where there is nothing: %s", got)
	}
	_, err = b.apply(s, write.Request{Op: write.Delete, Type: "Card", ID: "1", Seen: object(t, `{"title":"Mlik"}`)})
	if got := code(err); got != "conflict title" {
		t.Errorf("a delete of what has changed: %s", got)
	}
}

func TestHooks(t *testing.T) {
	b, s := board(t)
	card := b.offers["Card"]
	var asked []string
	permitAs := func(err error, do func(c *write.Change)) permit {
		return func(_ context.Context, channel any, c *write.Change) error {
			asked = append(asked, channel.(string)+" permits "+strings.Join(c.Fields(), ","))
			if do != nil {
				do(c)
			}
			return err
		}
	}
	s.Channel = "channel"
	card.Validate = func(_ context.Context, row schema.Row) error {
		var c Card
		if err := card.Type.Decode(row, &c); err != nil {
			return err
		}
		asked = append(asked, "validates "+c.Title+" "+c.Shout)
		if c.Title == "" {
			return rpc.Invalid("title", "is empty")
		}
		return nil
	}
	expect := func(what, want, steps string, err error) {
		t.Helper()
		if got := code(err); !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s, want %s", what, got, want)
		}
		if got := strings.Join(asked, "; "); got != steps {
			t.Errorf("%s: asked %q, want %q", what, got, steps)
		}
		asked = nil
	}
	card.Permit[write.Save] = permitAs(nil, nil)
	expect("permitted", "ok", "channel permits title,assignee; validates Oats OATS", b.save(s, "Card", "1", `{"assignee":null,"title":"Oats"}`))
	expect("not valid", "invalid title", "channel permits title; validates  ", b.save(s, "Card", "1", `{"title":""}`))
	expect("outside of the tree", "denied", "", b.save(s, "Card", "3", `{"title":"x"}`))
	expect("unreadable", "invalid title", "", b.save(s, "Card", "1", `{"title":7}`))
	card.Permit[write.Save] = permitAs(rpc.Errorf("not_yours", "no"), nil)
	expect("refused", "not_yours", "channel permits ", b.save(s, "Card", "1", `{}`))
	card.Permit[write.Save] = permitAs(errBoom, nil)
	expect("failed", "internal: boom", "channel permits ", b.save(s, "Card", "1", `{}`))
	card.Permit[write.Save] = permitAs(nil, func(*write.Change) { panic("at the disco") })
	expect("panicked", "internal: save of Card: panic: at the disco", "channel permits ", b.save(s, "Card", "1", `{}`))
	card.Permit[write.Delete] = permitAs(nil, func(c *write.Change) {
		if err := c.Set("Title", "x"); err == nil {
			t.Error("a row that is to be deleted is set")
		}
	})
	expect("delete", "ok", "channel permits ", b.delete(s, "Card", "2"))
	card.Permit[write.Create] = permitAs(nil, nil)
	_, err := b.create(s, "Card", "List 3 cards", `{"title":"x"}`)
	expect("below a list of others", "denied", "", err)
}

func TestServerSetsValues(t *testing.T) {
	b, s := board(t)
	comment := b.offers["Comment"]
	var kept *write.Change
	comment.Permit[write.Create] = func(_ context.Context, _ any, c *write.Change) error {
		kept = c
		if c.Has("Body") != c.Has("body") || c.Has("Author") != c.Has("author") || c.Has("ID") {
			t.Error("what the client sets is not told by every name")
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Error("a name that is misspelt is a field that the client does not set")
				}
			}()
			c.Has("Boddy")
		}()
		// A user outside of the tree: the server needs no permission to link.
		return c.Set("AuthorID", "3")
	}
	for _, data := range []string{`{"body":"Hi","author":"2"}`, `{"body":"Hi"}`} {
		key, err := b.create(s, "Comment", "Card 1 comments", data)
		if got := b.one("SELECT json_array(card_id, author_id, body) FROM comments WHERE id = ?", key); err != nil || got != `[1,3,"Hi"]` {
			t.Errorf("the row of %s is %s: %v", data, got, err)
		}
	}
	if err := kept.Set("Body", "late"); err == nil || !strings.Contains(err.Error(), "has returned") {
		t.Errorf("set after the permission function returned: %v", err)
	}
	for _, set := range []struct {
		field string
		value any
		fault string
	}{
		{"Nonsense", 1, "no such stored field"},
		{"Body", nil, "cannot be null"},
		{"AuthorID", "ada", "is no int"},
		{"Author", "ada", "is no int"},
		{"ID", 7, ""},
		{"Author", int32(2), ""},
		{"author", nil, ""},
	} {
		comment.Permit[write.Create] = func(_ context.Context, _ any, c *write.Change) error { return c.Set(set.field, set.value) }
		_, err := b.create(s, "Comment", "Card 1 comments", `{"body":"x"}`)
		if set.fault == "" && err != nil || set.fault != "" && (err == nil || !strings.Contains(err.Error(), set.fault)) {
			t.Errorf("set %s to %v: %v", set.field, set.value, err)
		}
	}
	comment.Permit[write.Save] = func(_ context.Context, _ any, c *write.Change) error { return c.Set("ID", 8) }
	if err := b.save(s, "Comment", "1", `{}`); err == nil || !strings.Contains(err.Error(), "does not change") {
		t.Errorf("the key of a row is changed: %v", err)
	}
}

// TestMoreRowsThanOneLooksAt has users whom very many rows of others lead to.
func TestMoreRowsThanOneLooksAt(t *testing.T) {
	const cards = "WITH RECURSIVE n(i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO cards (id, list_id, title, assignee_id) SELECT i, 3, 't' || i, %d FROM n;"
	b := workbench(t, boards+fmt.Sprintf(cards, 1000, 2999, 2)+fmt.Sprintf(cards, 3000, 13_500, 3), Board{}, wholeBoard)
	s := b.anchored("1", 0)
	for _, c := range []struct{ what, user, want, then string }{
		{"a user of very many cards of others", "2", "denied", "UPDATE cards SET list_id = 1 WHERE id = 2999"},
		{"whom the last of them leads to", "2", "ok", ""},
		{"a user of more than are looked at", "3", "too_large", ""},
	} {
		if got := code(b.save(s, "User", c.user, `{"name":"x"}`)); got != c.want {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
		b.exec(c.then)
	}
}

// TestFaultOfJSON has values that are no JSON, which requests cannot have, but
// functions around them could make.
func TestFaultOfJSON(t *testing.T) {
	b, s := board(t)
	for _, raw := range []string{"", "x", "\"", "{"} {
		before := b.dump()
		_, err := b.apply(s, write.Request{Op: write.Save, Type: "Card", ID: "1", Data: map[string]json.RawMessage{"title": json.RawMessage(raw)}})
		b.want("the title "+raw, "invalid title", before, err)
	}
}
