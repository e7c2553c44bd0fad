package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheAPIHasATokenLogin by which REST endpoints are used.
func TestTheAPIHasATokenLogin(t *testing.T) { everywhere(t, testLogin) }

func testLogin(t *testing.T, d *demo) {
	refused := ask(t, "", http.MethodPost, d.url+"/api/token", `{"username":"ada","password":"byron"}`)
	if refused.status != http.StatusUnauthorized {
		t.Errorf("a wrong password gets %+v", refused)
	}
	got := ask(t, "", http.MethodPost, d.url+"/api/token", `{"username":"ada","password":"lovelace"}`)
	secret, found := strings.CutPrefix(strings.TrimSuffix(strings.TrimSpace(got.body), `"}`), `{"token":"`)
	if got.status != http.StatusOK || !found {
		t.Fatalf("the right password gets %+v", got)
	}
	if got := ask(t, secret, http.MethodPost, d.url+"/api/messages", `{"message":"hello world"}`); got.status != http.StatusCreated {
		t.Errorf("the token gets %+v", got)
	}
}

// TestTheAPIHasRESTEndpoints for what sockets do.
func TestTheAPIHasRESTEndpoints(t *testing.T) { everywhere(t, testREST) }

func testREST(t *testing.T, d *demo) {
	ada, messages := d.token(t, "ada"), d.url+"/api/messages"
	if got := ask(t, "", http.MethodGet, messages, ""); got != (answer{200, "[]\n"}) {
		t.Errorf("no messages are %+v", got)
	}
	made := ask(t, ada, http.MethodPost, messages, `{"message":"hello world","author":"grace"}`)
	m := made.message(t)
	if made.status != http.StatusCreated || m.Message != "hello world" || m.Author != "ada" || m.CreatedAt.IsZero() {
		t.Errorf("a new message is %+v", made)
	}
	own := fmt.Sprint(messages, "/", m.ID)
	changed := ask(t, ada, http.MethodPut, own, `{"message":"hello, world"}`)
	if got := changed.message(t); changed.status != http.StatusOK || got.Message != "hello, world" || !got.CreatedAt.Equal(m.CreatedAt) {
		t.Errorf("a changed message is %+v", changed)
	}
	if got := ask(t, "", http.MethodGet, messages, ""); !strings.Contains(got.body, `"message":"hello, world","author":"ada"`) {
		t.Errorf("the messages are %+v", got)
	}
	if got := ask(t, ada, http.MethodDelete, own, ""); got != (answer{status: http.StatusNoContent}) {
		t.Errorf("a deletion gets %+v", got)
	}
	if got := ask(t, ada, http.MethodDelete, own, ""); got.status != http.StatusNotFound {
		t.Errorf("another deletion gets %+v", got)
	}
}

func TestTheRESTEndpointsRefuse(t *testing.T) { everywhere(t, testRESTRefuses) }

func testRESTRefuses(t *testing.T, d *demo) {
	ada, grace, messages := d.token(t, "ada"), d.token(t, "grace"), d.url+"/api/messages"
	m := ask(t, ada, http.MethodPost, messages, `{"message":"hello world"}`).message(t)
	own := fmt.Sprint(messages, "/", m.ID)
	for _, c := range []struct {
		secret, method, url, body string
		status                    int
		want                      string
	}{
		{"", http.MethodPost, messages, `{"message":"x"}`, 401, "unauthenticated"},
		{"stale", http.MethodPost, messages, `{"message":"x"}`, 401, "unauthenticated"},
		{ada, http.MethodPost, messages, `message`, 400, "bad_request"},
		{ada, http.MethodPost, messages, `{"message":" "}`, 400, `"fields":{"message":"the message is empty"}`},
		{ada, http.MethodPost, messages, `{"message":"` + strings.Repeat("x", 501) + `"}`, 400, "501 characters"},
		{ada, http.MethodPost, messages, `{"message":"` + strings.Repeat("x", 20_000) + `"}`, 400, "bad_request"},
		{grace, http.MethodPut, own, `{"message":"mine"}`, 403, "denied"},
		{grace, http.MethodDelete, own, "", 403, "denied"},
		{ada, http.MethodPut, messages + "/99", `{"message":"x"}`, 404, "not_found"},
		{ada, http.MethodPut, messages + "/one", `{"message":"x"}`, 404, "not_found"},
		{ada, http.MethodGet, d.url + "/api/nothing", "", 404, "not_found"},
	} {
		if got := ask(t, c.secret, c.method, c.url, c.body); got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s %s %.40s: got %+v, want %d %s", c.method, c.url, c.body, got, c.status, c.want)
		}
	}
	if got := ask(t, "", http.MethodGet, messages, ""); strings.Count(got.body, `"id"`) != 1 || !strings.Contains(got.body, "hello world") {
		t.Errorf("the messages are %+v", got)
	}
}

// TestManagementHasTemplatesAndAStaticFolderServedAtTheRoot has the page name what is
// served.
func TestManagementHasTemplatesAndAStaticFolderServedAtTheRoot(t *testing.T) {
	d := newDemo(t, onFile(t))
	if page := ask(t, "", http.MethodGet, d.url+"/", ""); page.status != http.StatusOK || !strings.Contains(page.body, `data-room="room"`) {
		t.Errorf("the page is %+v", page)
	}
	template, err := os.ReadFile("management/templates/index.html") // the page has it once the client is built
	must(t, err)
	if !strings.Contains(string(template), `<script type="module" src="/scripts/index.js"></script>`) {
		t.Errorf("the page's script is another one:\n%s", template)
	}
	for _, file := range []string{"scripts/index.js", "styles/index.css", "leaf.svg"} {
		text, err := os.ReadFile(filepath.Join("management", "static", file))
		must(t, err)
		if got := ask(t, "", http.MethodGet, d.url+"/"+file, ""); got != (answer{http.StatusOK, string(text)}) {
			t.Errorf("/%s: got %d %.300s, want the file", file, got.status, got.body)
		}
	}
	for path, want := range map[string]string{"/healthz": "", "/api/messages": "[]", "/api/messages?x=%2": "[]"} {
		if got := ask(t, "", http.MethodGet, d.url+path, ""); got.status != http.StatusOK || !strings.Contains(got.body, want) {
			t.Errorf("%s: got %d %.300s", path, got.status, got.body)
		}
	}
	if got := ask(t, "", http.MethodGet, d.url+"/templates/index.html", ""); got.status != http.StatusNotFound {
		t.Errorf("the template's source is served: %+v", got)
	}
}

// TestAppsAreBesideMain as in the seed, each with what it is for.
func TestAppsAreBesideMain(t *testing.T) {
	for _, file := range []string{
		"main.go", "routing.go", "settings.go", "urls.go", "api/models.go", "api/bindings.go", "api/demultiplexer.go", "api/views.go",
		"management/views.go", "management/templates/index.html", "management/static/scripts/index.js",
	} {
		if _, err := os.Stat(filepath.FromSlash(file)); err != nil {
			t.Error(err)
		}
	}
}

// TestPageWithoutItsClient tells how the client is built, and does not ask for
// it.
func TestPageWithoutItsClient(t *testing.T) {
	t.Chdir(t.TempDir())
	d := newDemo(t, onFile(t))
	got := ask(t, "", http.MethodGet, d.url+"/", "")
	if got.status != http.StatusOK || !strings.Contains(got.body, "make mux") || strings.Contains(got.body, "<script") {
		t.Errorf("the page is %+v", got)
	}
	if got := ask(t, "", http.MethodGet, d.url+"/pando/client.js", ""); got.status != http.StatusNotFound {
		t.Errorf("the client is %+v", got)
	}
}
