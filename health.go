package pando

import (
	"net/http"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/session"
)

// Drain has /readyz answer 503 from now on, so that whoever balances load sends
// nobody new. What is open stays open, and who comes is served all the same,
// until Run ends. A server that is about to stop calls it some time before: as
// much as its load balancer needs to notice.
func (a *App) Drain() { a.draining.Store(true) }

// serveLive answers that the process is alive, whatever the database does: to
// start it anew would mend nothing.
func (a *App) serveLive(w http.ResponseWriter, _ *http.Request) { answerOK(w) }

// serveReady answers whether new clients should be sent here. A moment in which
// the database is not followed sends nobody away: all nodes may have it at once.
func (a *App) serveReady(w http.ResponseWriter, _ *http.Request) {
	if a.draining.Load() {
		session.WriteError(w, http.StatusServiceUnavailable, rpc.Errorf("draining", "the server is about to stop"))
		return
	}
	if a.running(w) == nil {
		return
	}
	if a.pipe.Ready() != nil {
		session.WriteError(w, http.StatusServiceUnavailable, rpc.Unavailable())
		return
	}
	answerOK(w)
}

// serveHealth answers whether the database is followed and can be read.
func (a *App) serveHealth(w http.ResponseWriter, r *http.Request) {
	if a.running(w) == nil {
		return
	}
	err := a.pipe.Health()
	a.tellHealth(r, err)
	if err != nil {
		session.WriteError(w, http.StatusServiceUnavailable, rpc.Unavailable())
		return
	}
	answerOK(w)
}

// tellHealth logs what has changed since somebody asked: load balancers ask all
// the time.
func (a *App) tellHealth(r *http.Request, err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if before := a.health.Swap(&text); before != nil && *before == text || before == nil && err == nil {
		return
	}
	if err != nil {
		a.cfg.Logger.WarnContext(r.Context(), "not healthy", "error", err)
		return
	}
	a.cfg.Logger.InfoContext(r.Context(), "healthy again")
}

func answerOK(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.Write([]byte(`{"status":"ok"}` + "\n")) //nolint:errcheck // the caller has gone
}
