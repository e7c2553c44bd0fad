package token

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// Path is where Mount serves logins.
const Path = "/api/token"

// maxBody bounds a login's body in bytes.
const maxBody = 8 << 10

// Mount registers POST /api/token in mux: {"username","password"} in,
// {"token"} out, as spec/protocol.md has it.
func (s *Store) Mount(mux *http.ServeMux) {
	mux.HandleFunc(Path, s.serveLogin)
}

type credentials struct {
	Username string `json:"username"`
	Password string `json:"password"`
}

func (s *Store) serveLogin(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		writeError(w, http.StatusMethodNotAllowed, "bad_request", "send a POST request")
		return
	}
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
		s.writeLoginError(r.Context(), w, err)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"token": token})
}

func (s *Store) writeLoginError(ctx context.Context, w http.ResponseWriter, err error) {
	switch {
	case errors.Is(err, ErrInvalid):
		writeError(w, http.StatusUnauthorized, "unauthenticated", "unknown user or wrong password")
	case errors.Is(err, ErrBusy):
		w.Header().Set("Retry-After", "1")
		writeError(w, http.StatusServiceUnavailable, "unavailable", "too many logins at once: try again")
	case ctx.Err() != nil:
		// The client has gone; nobody reads an answer.
	default:
		s.log.ErrorContext(ctx, "login failed", "error", err)
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
