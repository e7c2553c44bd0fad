package main

import (
	"net/http"
	"os"
	"path/filepath"

	"github.com/pando-sync/pando/examples/mux/api"
	"github.com/pando-sync/pando/examples/mux/management"
)

// urls are the program's paths, as urlpatterns are Django's. What is not here is
// the app's: the sockets, POST /api/token, and the static files.
func urls(app http.Handler, views *api.Views) http.Handler {
	mux := http.NewServeMux()
	views.Mount(mux)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_, err := os.Stat(clientModule())
		management.Index(w, management.Page{Room: "room", Live: err == nil})
	})
	mux.HandleFunc("GET /pando/client.js", serveClient)
	mux.Handle("/", app)
	return mux
}

// serveClient serves @pando-sync/client as one ES module, which browsers take as
// it is.
func serveClient(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	http.ServeFile(w, r, clientModule())
}

// clientModule is where the module is, if it is built. Outside of this repository
// that is node_modules/@pando-sync/client/dist, once npm has installed it.
func clientModule() string {
	const name = "ts/packages/client/dist/standalone.js"
	if _, err := os.Stat("examples/mux"); err == nil {
		return name // started from the repository's root
	}
	return filepath.Join("../..", name)
}
