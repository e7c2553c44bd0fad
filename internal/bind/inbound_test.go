package bind_test

import (
	"context"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/token"
)

const (
	tail = `,"model":"news.article"}`
	data = `{"title":"third","body":null,"stars":3,"price":"0.50","ref":"00000000-0000-0000-0000-000000000000","posted_at":null,` +
		`"doc":{},"loud":"THIRD","locked":"fast","owner":null}`
)

// TestTheDefaultCreateDoesSQLAndTheReplyIsWhatIsTold, with the database's own values
// for what the client did not set.
func TestTheDefaultCreateDoesSQLAndTheReplyIsWhatIsTold(t *testing.T) {
	onEach(t, func(_ *testing.T, open func(*bind.Spec) *desk) {
		d := open(articles())
		d.replies(`{"action":"create","data":{"title":"third"}}`, `{"action":"create","pk":3,"data":`+data+tail)
		if got := d.value("SELECT note FROM articles WHERE title = 'third'"); got != `"none"` {
			d.t.Errorf("what the client did not set is %s, not the default", got)
		}
	})
}

// TestTheDefaultUpdateDoesSQL with a value of each form.
func TestTheDefaultUpdateDoesSQL(t *testing.T) {
	onEach(t, func(_ *testing.T, open func(*bind.Spec) *desk) {
		d := open(articles())
		d.replies(`{"action":"update","pk":2,"data":{"title":"é","body":"b","stars":5,"price":"1.50","ref":"C0FFEE00-0000-4000-8000-000000000001",`+
			`"posted_at":"2026-01-02T04:04:05.1239+01:00","doc":{"b":[1,2.5],"a":null},"owner":"2","note":"kept here"}}`,
			`{"action":"update","pk":2,"data":{"title":"é","body":"b","stars":5,"price":"1.50","ref":"c0ffee00-0000-4000-8000-000000000001",`+
				`"posted_at":"2026-01-02T03:04:05.123Z","doc":{"a":null,"b":[1,2.5]},"loud":"É","locked":"fast","owner":2}`+tail)
		if got := d.value("SELECT note FROM articles WHERE id = 2"); got != `"kept here"` {
			d.t.Errorf("what is only written is %s", got)
		}
		d.replies(`{"action":"update","pk":"2","data":{"owner":null}}`,
			`{"action":"update","pk":2,"data":{"title":"é","body":"b","stars":5,"price":"1.50","ref":"c0ffee00-0000-4000-8000-000000000001",`+
				`"posted_at":"2026-01-02T03:04:05.123Z","doc":{"a":null,"b":[1,2.5]},"loud":"É","locked":"fast","owner":null}`+tail)
	})
}

// TestTheDefaultDeleteDoesSQLAndTheReplyHasTheKeyOnly and the row is there no more.
func TestTheDefaultDeleteDoesSQLAndTheReplyHasTheKeyOnly(t *testing.T) {
	onEach(t, func(_ *testing.T, open func(*bind.Spec) *desk) {
		d := open(articles())
		d.replies(`{"action":"delete","pk":1}`, `{"action":"delete","pk":1`+tail)
		if got := d.value("SELECT count(*) FROM articles WHERE id = 1 AND deleted_at IS NOT NULL"); got != `"1"` {
			d.t.Error("the row was to be deleted softly")
		}
		for _, again := range []string{`{"action":"delete","pk":1}`, `{"action":"update","pk":1,"data":{"title":"x"}}`} {
			d.refused(again, "not_found: there is no such row")
		}
	})
}

func TestAKeySentOnCreateIsIgnored(t *testing.T) {
	onEach(t, func(_ *testing.T, open func(*bind.Spec) *desk) {
		d := open(articles())
		d.replies(`{"action":"create","pk":1,"data":{"id":1,"pk":2,"title":"third"}}`, `{"action":"create","pk":3,"data":`+data+tail)
	})
}

// TestOnlyDeclaredFieldsAreEverWrittenOnCreateAsOnUpdate refuses others, and names
// them, before anybody is asked.
func TestOnlyDeclaredFieldsAreEverWrittenOnCreateAsOnUpdate(t *testing.T) {
	spec := articles()
	spec.Fields = []string{"title", "loud", "locked"}
	spec.Permit = func(context.Context, token.Identity, bind.Op, any, any) (bool, error) {
		t.Error("permission was asked for what is not declared")
		return true, nil
	}
	d := onSQLite(t, spec)
	names := []string{"body", "stars", "owner", "owner_id", "note", "internal", "deleted_at", "locked", "loud", "Title", "nothing", ""}
	for _, name := range names {
		want := "invalid: " + name + ": is no field that may be written"
		d.refused(`{"action":"create","data":{"title":"x","`+name+`":null}}`, want)
		d.refused(`{"action":"update","pk":1,"data":{"title":"x","`+name+`":null}}`, want)
	}
	d.refused(`{"action":"update","pk":1,"data":{"id":2,"body":null}}`,
		"invalid: body: is no field that may be written; id: is no field that may be written")
}

// TestMessagesThatAreNone begin no transaction.
func TestMessagesThatAreNone(t *testing.T) {
	d := onSQLite(t, articles())
	action := "bad_request: action is one of create, update, delete, subscribe and unsubscribe"
	noData, noKey := "bad_request: data is missing, or no object", "bad_request: pk is missing: "
	for _, c := range []struct {
		statement string
		messages  [][2]string
	}{
		{"a bad action", [][2]string{
			{`[]`, "bad_request: a message is an object of action, pk and data"}, {`null`, "bad_request: a message is an object of action, pk and data"},
			{`{}`, action}, {`{"action":7}`, action}, {`{"action":"Create","data":{}}`, action}, {`{"Action":"create","data":{}}`, action},
			{`{"action":"save","pk":1,"data":{}}`, action}, {`{"action":null}`, action},
		}},
		{"bad data", [][2]string{
			{`{"action":"create"}`, noData}, {`{"action":"create","data":null}`, noData}, {`{"action":"create","data":[1]}`, noData}, {`{"action":"update","pk":1}`, noData},
		}},
		{"no key", [][2]string{{`{"action":"update","data":{}}`, noKey + "update is of one row"}, {`{"action":"delete","pk":null}`, noKey + "delete is of one row"}}},
	} {
		t.Run(c.statement, func(t *testing.T) {
			for _, m := range c.messages {
				d.of(t).refused(m[0], m[1])
			}
		})
	}
	if n := d.attempts.Load(); n > 0 {
		t.Errorf("%d transactions were begun for nothing", n)
	}
	t.Run("no such row", func(t *testing.T) {
		for _, key := range []string{`99`, `"99"`, `"x"`, `1.5`, `1e0`, `true`, `{}`, `[1]`, `""`, `"01"`, `99999999999999999999`, `"` + strings.Repeat("1", 5000) + `"`} {
			d.of(t).refused(`{"action":"delete","pk":`+key+`}`, "not_found: there is no such row")
		}
	})
}

func TestChecksComeInTheirOrder(t *testing.T) {
	spec := articles()
	may := false
	spec.Permit = func(context.Context, token.Identity, bind.Op, any, any) (bool, error) { return may, nil }
	d := onSQLite(t, spec)
	const wrong = `"title":7,"stars":"x","owner":"y","body":null`
	d.refused(`{"action":"update","pk":99,"data":{"loud":1,`+wrong+`}}`, "invalid: loud: is no field that may be written")
	d.refused(`{"action":"update","pk":99,"data":{`+wrong+`}}`, "not_found: there is no such row")
	d.refused(`{"action":"update","pk":1,"data":{`+wrong+`}}`, "denied: update is not permitted")
	may = true
	d.refused(`{"action":"update","pk":1,"data":{`+wrong+`}}`,
		"invalid: owner: want an integer in decimal digits; stars: want an integer in decimal digits; title: want a string of UTF-8")
	d.refused(`{"action":"create","data":{"title":"forbidden","stars":6}}`, "invalid: title: is a word that is not used")
	d.refused(`{"action":"update","pk":1,"data":{"title":"second"}}`, "conflict: title: exists already")
}

func TestWhatIsNoValueIsToldByField(t *testing.T) {
	d := onSQLite(t, articles())
	for _, c := range []struct{ data, want string }{
		{`"title":null`, "title: must not be null"},
		{`"stars":3000000000`, "stars: is out of range"},
		{`"ref":"no"`, "ref: want a UUID with dashes"},
		{`"posted_at":"yesterday"`, "posted_at: want a time as in 2006-01-02T15:04:05.000000Z"},
		{`"owner":1.5`, "owner: want an integer in decimal digits"},
	} {
		d.refused(`{"action":"update","pk":1,"data":{`+c.data+`}}`, "invalid: "+c.want)
	}
}

func TestConstraintsAreConflictsOrFaults(t *testing.T) {
	onEach(t, func(_ *testing.T, open func(*bind.Spec) *desk) {
		d := open(articles())
		d.refused(`{"action":"create","data":{"title":"first"}}`, "conflict: title: exists already")
		d.refused(`{"action":"update","pk":2,"data":{"title":"first"}}`, "conflict: title: exists already")
		d.refused(`{"action":"create","data":{}}`, "invalid: title: is missing")
		if _, err := d.send(`{"action":"update","pk":2,"data":{"owner":77}}`); code(err) != "invalid" {
			d.t.Errorf("a link to nowhere: %v", err)
		}
		if _, err := d.send(`{"action":"update","pk":2,"data":{"stars":6}}`); code(err) != "invalid" {
			d.t.Errorf("a check of the database: %v", err)
		}
	})
}

// code is the code of what a client is told of an error, "" for none.
func code(err error) string {
	if err == nil {
		return ""
	}
	public, _ := rpc.Public(err)
	return public.Code
}

func TestHasPermissionSeesTheRowAsItIsAndAsItWouldBe(t *testing.T) {
	var calls []string
	spec := articles()
	show := func(row any) string {
		if row == nil {
			return "none"
		}
		a := row.(*article)
		return a.Title + "/" + strconv.Itoa(int(a.Stars)) + "/" + a.Internal + "/" + a.Loud
	}
	spec.Permit = func(ctx context.Context, user token.Identity, op bind.Op, before, after any) (bool, error) {
		if txOf(ctx) == nil {
			t.Error("it runs in no transaction")
		}
		calls = append(calls, user.ID+" "+string(op)+" "+show(before)+" "+show(after))
		return true, nil
	}
	d := onSQLite(t, spec)
	for _, payload := range []string{
		`{"action":"create","data":{"title":"third","stars":4}}`, `{"action":"update","pk":1,"data":{"stars":2}}`, `{"action":"delete","pk":1}`,
	} {
		if _, err := d.send(payload); err != nil {
			t.Fatal(err)
		}
	}
	// A value that is none leaves the row as it is, for whoever permits.
	d.refused(`{"action":"update","pk":2,"data":{"title":1,"stars":5}}`, "invalid: title: want a string of UTF-8")
	want := []string{
		"ada create none third/4//THIRD", "ada update first/1/kept/FIRST first/2/kept/FIRST", "ada delete first/2/kept/FIRST none",
		"ada update second/2/kept/SECOND second/5/kept/SECOND",
	}
	if !reflect.DeepEqual(calls, want) {
		t.Errorf("it was asked\n%s\nwant\n%s", strings.Join(calls, "\n"), strings.Join(want, "\n"))
	}
}

func TestHasPermissionRefuses(t *testing.T) {
	spec := articles()
	answers := map[string]func() (bool, error){
		"denied: create is not permitted":              func() (bool, error) { return false, nil },
		"closed: come again":                           func() (bool, error) { return true, rpc.Errorf("closed", "come again") },
		"internal: something went wrong on the server": func() (bool, error) { return true, errors.New("the secret reason") },
	}
	var answer func() (bool, error)
	spec.Permit = func(context.Context, token.Identity, bind.Op, any, any) (bool, error) { return answer() }
	d := onSQLite(t, spec)
	for want, give := range answers {
		answer = give
		d.refused(`{"action":"create","data":{"title":"third"}}`, want)
	}
	answer = func() (bool, error) { panic("the secret reason") }
	d.refused(`{"action":"create","data":{"title":"third"}}`, "internal: something went wrong on the server")
}

func TestWithoutHasPermissionNothingIsWritten(t *testing.T) {
	spec := articles()
	spec.Permit = nil
	d := onSQLite(t, spec)
	for _, payload := range []string{
		`{"action":"create","data":{"title":"third"}}`, `{"action":"update","pk":1,"data":{}}`, `{"action":"delete","pk":99}`,
	} {
		d.refused(payload, "denied: nothing of news.article may be written")
	}
}

func TestOverridesKeepThePermissionAndFieldChecks(t *testing.T) {
	called := 0
	may := true
	spec := articles()
	spec.Fields = []string{"title", "stars"}
	spec.Permit = func(context.Context, token.Identity, bind.Op, any, any) (bool, error) { return may, nil }
	spec.Create = func(context.Context, token.Identity, *write.Change) (any, error) { called++; return int64(1), nil }
	spec.Update = func(context.Context, token.Identity, any, *write.Change) error { called++; return nil }
	spec.Delete = func(context.Context, token.Identity, any) error { called++; return nil }
	d := onSQLite(t, spec)
	for _, c := range []struct{ payload, want string }{
		{`{"action":"create","data":{"body":"b"}}`, "invalid: body: is no field that may be written"},
		{`{"action":"update","pk":1,"data":{"body":"b"}}`, "invalid: body: is no field that may be written"},
		{`{"action":"update","pk":99,"data":{}}`, "not_found: there is no such row"},
		{`{"action":"delete","pk":99}`, "not_found: there is no such row"},
		{`{"action":"create","data":{"title":1}}`, "invalid: title: want a string of UTF-8"},
		{`{"action":"update","pk":1,"data":{"title":"forbidden"}}`, "invalid: title: is a word that is not used"},
	} {
		d.refused(c.payload, c.want)
	}
	may = false
	for _, op := range []string{`create","data":{}`, `update","pk":1,"data":{}`, `delete","pk":1`} {
		name, _, _ := strings.Cut(op, `"`)
		d.refused(`{"action":"`+op+`}`, "denied: "+name+" is not permitted")
	}
	if called > 0 {
		t.Errorf("a function was called %d times for what is refused", called)
	}
}

func TestOverridesWriteInTheTransactionAndTheReplyTellsWhatTheyWrote(t *testing.T) {
	onEach(t, func(_ *testing.T, open func(*bind.Spec) *desk) {
		spec := articles()
		spec.Fields = []string{"title", "stars"}
		spec.Create = func(ctx context.Context, user token.Identity, c *write.Change) (any, error) {
			if err := c.Set("note", user.ID); err != nil {
				return nil, err
			}
			var row article
			if err := c.Type().Decode(c.New(), &row); err != nil {
				return nil, err
			}
			var id int64
			err := txOf(ctx).QueryRowContext(ctx, "INSERT INTO articles (title, stars, note) VALUES ($1, 5, $2) RETURNING id",
				row.Title+" by "+row.Note, row.Note).Scan(&id)
			return id, err
		}
		spec.Update = func(ctx context.Context, _ token.Identity, key any, c *write.Change) error {
			if !c.Has("stars") || c.Has("title") || !reflect.DeepEqual(c.Fields(), []string{"stars"}) {
				d := c.Fields()
				return errors.New("it was given " + strings.Join(d, ", "))
			}
			_, err := txOf(ctx).ExecContext(ctx, "UPDATE articles SET stars = stars + 1 WHERE id = $1", key)
			return err
		}
		spec.Delete = func(ctx context.Context, _ token.Identity, key any) error {
			_, err := txOf(ctx).ExecContext(ctx, "DELETE FROM articles WHERE id = $1", key)
			return err
		}
		d := open(spec)
		d.replies(`{"action":"create","data":{"title":"third"}}`, `{"action":"create","pk":3,"data":{"title":"third by ada","stars":5}`+tail)
		d.replies(`{"action":"update","pk":2,"data":{"stars":0}}`, `{"action":"update","pk":2,"data":{"title":"second","stars":3}`+tail)
		d.replies(`{"action":"delete","pk":2}`, `{"action":"delete","pk":2`+tail)
		if got := d.value("SELECT count(*) FROM articles WHERE id = 2"); got != `"0"` {
			d.t.Error("the row is there: Delete was not called")
		}
	})
}

func TestAnUpdateThatTakesTheRowAwayIsToldAsADelete(t *testing.T) {
	for key, statement := range map[string]string{
		"1": "DELETE FROM articles WHERE id = $1", "2": "UPDATE articles SET deleted_at = '2026-01-02' WHERE id = $1",
	} {
		spec := articles()
		spec.Update = func(ctx context.Context, _ token.Identity, key any, _ *write.Change) error {
			_, err := txOf(ctx).ExecContext(ctx, statement, key)
			return err
		}
		onSQLite(t, spec).replies(`{"action":"update","pk":`+key+`,"data":{}}`, `{"action":"delete","pk":`+key+tail)
	}
}

func TestAnOverrideThatFailsLeavesNothing(t *testing.T) {
	spec := articles()
	var end func() error
	write1 := func(ctx context.Context) error {
		_, err := txOf(ctx).ExecContext(ctx, "UPDATE articles SET title = title || '!'")
		return errors.Join(err, end())
	}
	spec.Create = func(ctx context.Context, _ token.Identity, _ *write.Change) (any, error) {
		return int64(99), write1(ctx)
	}
	spec.Update = func(ctx context.Context, _ token.Identity, _ any, _ *write.Change) error { return write1(ctx) }
	spec.Delete = func(ctx context.Context, _ token.Identity, _ any) error { return write1(ctx) }
	d := onSQLite(t, spec)
	const internal = "internal: something went wrong on the server"
	ops := []string{`{"action":"create","data":{}}`, `{"action":"update","pk":1,"data":{}}`, `{"action":"delete","pk":1}`}
	for _, op := range ops {
		end = func() error { return errors.New("the secret reason") }
		d.refused(op, internal)
		end = func() error { panic("the secret reason") }
		d.refused(op, internal)
		end = func() error { return rpc.Invalid("title", "is taken") }
		d.refused(op, "invalid: title: is taken")
	}
	end = func() error { return nil }
	d.refused(ops[0], internal) // the key that it returned is no row's
	for _, key := range []any{nil, "x", 1.5} {
		spec.Create = func(context.Context, token.Identity, *write.Change) (any, error) { return key, nil }
		d.refused(ops[0], internal)
	}
}

func TestATransactionThatIsRolledBackIsMadeAgain(t *testing.T) {
	asked := 0
	spec := articles()
	spec.Permit = func(context.Context, token.Identity, bind.Op, any, any) (bool, error) { asked++; return true, nil }
	d := onSQLite(t, spec)
	d.again.Store(2)
	d.replies(`{"action":"create","data":{"id":7,"title":"third"}}`, `{"action":"create","pk":3,"data":`+data+tail)
	if n := d.attempts.Load(); asked != 3 || n != 3 {
		t.Errorf("it was asked %d times in %d attempts, want 3", asked, n)
	}
}

func TestReceiveNeedsAnApp(t *testing.T) {
	_, err := bind.Receive(t.Context(), articles(), ada, []byte(`{"action":"delete","pk":1}`))
	if err == nil || !strings.Contains(err.Error(), "no app serves it") {
		t.Errorf("the error is %v", err)
	}
	d := onSQLite(t, articles())
	if _, err := bind.Receive(d.served.With(t.Context()), articles(), ada, nil); err == nil {
		t.Error("another binding was taken for the one that is served")
	}
}
