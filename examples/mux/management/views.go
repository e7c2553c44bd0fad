// Package management is the page: a template, and static files that are served
// at the root, so that static/scripts/index.js is /scripts/index.js.
package management

import (
	"bytes"
	"embed"
	"html/template"
	"io/fs"
	"net/http"
)

//go:embed templates static
var files embed.FS

var index = template.Must(template.ParseFS(files, "templates/index.html"))

// Static is what is served at the root, as STATICFILES_DIRS name it in Django.
func Static() fs.FS {
	static, err := fs.Sub(files, "static")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	return static
}

// Page is what the template is made of.
type Page struct {
	// Room is the room of the page's connection: /demultiplex/{room}/.
	Room string
	// Live tells that there is a client for the page to connect by.
	Live bool
}

// Index shows the page.
func Index(w http.ResponseWriter, page Page) {
	var body bytes.Buffer
	if err := index.Execute(&body, page); err != nil {
		http.Error(w, "the page cannot be made", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-cache")
	w.Write(body.Bytes())
}
