package pando_test

import (
	"database/sql"
	"reflect"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// serveRelease serves a release of an app that shows docs as a type.
func serveRelease(t *testing.T, db *sql.DB, typ reflect.Type) *pandotest.Server {
	t.Helper()
	source := sqlitefeed.New(db)
	t.Cleanup(func() { source.Close() })
	app, err := pando.New(pando.Config{Source: source, Auth: names{}})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("docs/{doc_id}", pando.For(func() *OpenDoc { return &OpenDoc{} }, pando.StateType(typ)))
	return pandotest.Serve(t, app)
}

// Two releases that differ by a field serve one database while one takes over
// from the other.
func TestARollingDeployKeepsOpenPages(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, "CREATE TABLE docs (id INTEGER PRIMARY KEY, body TEXT NOT NULL, title TEXT NOT NULL DEFAULT ''); INSERT INTO docs VALUES (1, 'one', 'I')")
	type oldDoc = Doc
	type Doc struct { // of the new release
		ID    int64  `json:"id"`
		Body  string `json:"body"`
		Title string `json:"title"`
	}
	before := serveRelease(t, db, reflect.TypeFor[oldDoc]())
	after := serveRelease(t, db, reflect.TypeFor[Doc]())

	page := before.Connect(t, "ada")
	doc := pandotest.Open[oldDoc](t, page, "docs/1")
	fresh := pandotest.Open[Doc](t, after.Connect(t, "grace"), "docs/1")
	exec(t, db, "UPDATE docs SET body = 'two', title = 'II'")
	doc.Wait(t, "the old release's change", func(d *oldDoc) bool { return d.Body == "two" })
	fresh.Wait(t, "the new release's change", func(d *Doc) bool { return d.Body == "two" && d.Title == "II" })

	before.Stop(t)
	<-page.Closed()
	exec(t, db, "UPDATE docs SET body = 'three'")
	page.Redirect(after.URL)
	redial(t, page)
	if err := doc.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc.Wait(t, "what was missed", func(d *oldDoc) bool { return d.Body == "three" })
	exec(t, db, "UPDATE docs SET title = 'III'") // of which the old page knows nothing
	exec(t, db, "UPDATE docs SET body = 'four'")
	doc.Wait(t, "what came then", func(d *oldDoc) bool { return d.Body == "four" })
	fresh.Wait(t, "what came then", func(d *Doc) bool { return d.Body == "four" && d.Title == "III" })
}
