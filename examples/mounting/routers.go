package mounting

import (
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	chimiddleware "github.com/go-chi/chi/v5/middleware"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/pando-sync/pando"
)

// ServeMux has the app below /live.
func ServeMux(app *pando.App) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/live/", http.StripPrefix("/live", app))
	mux.HandleFunc("GET /hello", hello)
	return mux
}

// Chi has the app below /live, with chi's middleware around all.
func Chi(app *pando.App) http.Handler {
	r := chi.NewRouter()
	r.Use(chimiddleware.RequestID, chimiddleware.Logger, chimiddleware.Recoverer, chimiddleware.Compress(5))
	r.Mount("/live", http.StripPrefix("/live", app))
	r.With(chimiddleware.Timeout(5*time.Second)).Get("/hello", hello)
	return r
}

// Echo has the app below /live, with echo's middleware around all.
func Echo(app *pando.App) http.Handler {
	e := echo.New()
	e.Use(middleware.Recover(), middleware.RequestID(), middleware.Gzip())
	e.Any("/live/*", echo.WrapHandler(http.StripPrefix("/live", app)))
	e.GET("/hello", echo.WrapHandler(http.HandlerFunc(hello)))
	return e
}

func hello(w http.ResponseWriter, _ *http.Request) {
	w.Write([]byte("hello"))
}
