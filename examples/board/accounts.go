package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"

	"github.com/pando-sync/pando/token"
)

// accounts are the token store's users with one endpoint more.
type accounts struct{ *token.Store }

// Mount registers POST /api/token, and GET /api/me: who the token is for, so
// that the page knows which user channel is its own.
func (a accounts) Mount(mux *http.ServeMux) {
	a.Store.Mount(mux)
	mux.HandleFunc("GET /api/me", a.serveMe)
}

func (a accounts) serveMe(w http.ResponseWriter, r *http.Request) {
	identity, err := a.Authenticate(r.Context(), r, token.FromHeader(r))
	switch {
	case errors.Is(err, token.ErrNone), errors.Is(err, token.ErrInvalid):
		refuse(w, http.StatusUnauthorized, "unauthenticated", "log in first")
	case err != nil:
		slog.ErrorContext(r.Context(), "cannot tell who calls", "error", err)
		refuse(w, http.StatusInternalServerError, "internal", "internal error")
	default:
		answer(w, http.StatusOK, map[string]string{"id": identity.ID})
	}
}

func refuse(w http.ResponseWriter, status int, code, message string) {
	answer(w, status, map[string]map[string]string{"error": {"code": code, "message": message}})
}

func answer(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value) //nolint:errchkjson // maps of strings; a client that has gone needs no answer
}

// userOf is the id of the user that an identity of the store stands for.
func userOf(identity token.Identity) int64 {
	user, _ := identity.Value.(token.User)
	return user.ID
}

// userID finds a user by name.
func userID(ctx context.Context, q querier, username string) (id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT id FROM users WHERE username = $1`, username).Scan(&id)
	return id, err
}
