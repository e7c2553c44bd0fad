package token

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// Path is where Mount serves logins and logouts, RefreshPath where it exchanges
// a token for a new one.
const (
	Path        = "/api/token"
	RefreshPath = "/api/token/refresh"
)

// maxBody bounds a login's body in bytes.
const maxBody = 8 << 10

// Mount registers in mux, as spec/protocol.md has it:
//
//	POST /api/token          {"username","password"} in, {"token"} out
//	DELETE /api/token        revokes the token of the Authorization header
//	POST /api/token/refresh  exchanges it, {"token"} out
//
// Cookies count for nothing here, so that no page of another origin can log
// anybody in or out.
func (s *Store) Mount(mux *http.ServeMux) {
	mux.HandleFunc(Path, func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodPost:
			s.serveLogin(w, r)
		case http.MethodDelete:
			s.serveLogout(w, r)
		default:
			w.Header().Set("Allow", "DELETE, POST")
			writeError(w, http.StatusMethodNotAllowed, "bad_request", "send a POST request to log in, DELETE to log out")
		}
	})
	mux.HandleFunc(RefreshPath, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			writeError(w, http.StatusMethodNotAllowed, "bad_request", "send a POST request")
			return
		}
		s.serveRefresh(w, r)
	})
}

type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func (s *Store) serveLogin(w http.ResponseWriter, r *http.Request) {
	var c credentials
	if err := readJSON(http.MaxBytesReader(w, r.Body, maxBody), &c); err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			writeError(w, http.StatusRequestEntityTooLarge, "too_large", "the body is too large")
			return
		}
		writeError(w, http.StatusBadRequest, "bad_request", `the body is not JSON: send {"username":"…","password":"…"}`)
		return
	}
	if c.Username == "" || c.Password == "" {
		writeError(w, http.StatusBadRequest, "bad_request", "username and password must be given")
		return
	}
	token, err := s.Login(r.Context(), c.Username, c.Password)
	if err != nil {
		s.writeTokenError(r.Context(), w, err, "unknown user or wrong password")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"token": token})
}

// serveLogout answers alike for a token that was good and one that was not: it
// is none from here on.
func (s *Store) serveLogout(w http.ResponseWriter, r *http.Request) {
	token := FromHeader(r)
	if token == "" {
		s.writeTokenError(r.Context(), w, ErrInvalid, "the Authorization header has no token")
		return
	}
	if err := s.Revoke(r.Context(), token); err != nil {
		s.writeTokenError(r.Context(), w, err, "")
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNoContent)
}

func (s *Store) serveRefresh(w http.ResponseWriter, r *http.Request) {
	token, err := s.Refresh(r.Context(), FromHeader(r))
	if err != nil {
		if errors.Is(err, ErrNone) || errors.Is(err, ErrUnknownUser) {
			err = ErrInvalid
		}
		s.writeTokenError(r.Context(), w, err, "the token is not valid")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"token": token})
}

// writeTokenError answers a failure; invalid is what ErrInvalid means to the
// caller.
func (s *Store) writeTokenError(ctx context.Context, w http.ResponseWriter, err error, invalid string) {
	switch {
	case errors.Is(err, ErrInvalid):
		w.Header().Set("WWW-Authenticate", "Token")
		writeError(w, http.StatusUnauthorized, "unauthenticated", invalid)
	case errors.Is(err, ErrBusy):
		w.Header().Set("Retry-After", "1")
		writeError(w, http.StatusServiceUnavailable, "unavailable", "too many logins at once: try again")
	case ctx.Err() != nil:
		// The client has gone; nobody reads an answer.
	default:
		s.log.ErrorContext(ctx, "token request failed", "error", err)
		writeError(w, http.StatusInternalServerError, "internal", "internal error")
	}
}

// readJSON reads exactly one JSON value.
func readJSON(r io.Reader, into *credentials) error {
	decoder := json.NewDecoder(r)
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.Join(errors.New("more than one value"), err)
	}
	return nil
}

func writeError(w http.ResponseWriter, status int, code, message string) {
	type body struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	writeJSON(w, status, map[string]body{"error": {code, message}})
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value) //nolint:errcheck,errchkjson // a client that has gone needs no answer
}
