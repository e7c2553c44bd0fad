package pando_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/fstest"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// TestAPageIsAskedForByItsContent serves two builds of one date.
func TestAPageIsAskedForByItsContent(t *testing.T) {
	source := sqlitefeed.New(pandotest.Database(t))
	t.Cleanup(func() { source.Close() })
	ask := func(text, etag string) *httptest.ResponseRecorder {
		app, err := pando.New(pando.Config{Source: source, Static: fstest.MapFS{
			"index.html": {Data: []byte(text), ModTime: time.Unix(1e9, 0)},
		}})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/boards/1", http.NoBody)
		r.Header.Set("If-None-Match", etag)
		r.Header.Set("If-Modified-Since", time.Unix(2e9, 0).UTC().Format(http.TimeFormat))
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w
	}
	first := ask("one", `""`)
	if first.Code != http.StatusOK || first.Body.String() != "one" {
		t.Fatalf("the page: %d %s", first.Code, first.Body)
	}
	etag := first.Header().Get("ETag")
	if w := ask("one", etag); w.Code != http.StatusNotModified {
		t.Errorf("the same page again: %d %s", w.Code, w.Body)
	}
	if w := ask("two", etag); w.Code != http.StatusOK || w.Body.String() != "two" {
		t.Errorf("another page of the same date: %d %s", w.Code, w.Body)
	}
}
