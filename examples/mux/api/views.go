package api

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"github.com/pando-sync/pando/token"
)

// Views are the REST endpoints of the messages. They write by database/sql and
// tell nobody: that pages are live is none of their business.
//
//	GET    /api/messages       all messages, the oldest first
//	POST   /api/messages       {"message": "…"} writes one
//	PUT    /api/messages/{id}  {"message": "…"} changes one's own
//	DELETE /api/messages/{id}  deletes one's own
//
// Who writes says so as with Django REST framework's tokens, by a header
// "Authorization: Token …", which POST /api/token gives for a password.
type Views struct {
	DB    *sql.DB
	Users *token.Store
	Log   *slog.Logger
}

// Mount registers the endpoints.
func (v *Views) Mount(mux *http.ServeMux) {
	mux.HandleFunc("GET /api/messages", v.list)
	mux.HandleFunc("POST /api/messages", v.authenticated(v.create))
	mux.HandleFunc("PUT /api/messages/{id}", v.authenticated(v.update))
	mux.HandleFunc("DELETE /api/messages/{id}", v.authenticated(v.delete))
}

// refusal is an answer that is no success.
type refusal struct {
	status        int
	code, message string
}

// Error implements error.
func (r *refusal) Error() string { return r.message }

var (
	errNobody  = &refusal{http.StatusUnauthorized, "unauthenticated", "log in first: POST /api/token gives a token for the Authorization header"}
	errAnother = &refusal{http.StatusForbidden, "denied", "the message is somebody else's"}
	errGone    = &refusal{http.StatusNotFound, "not_found", "there is no such message"}
	errBody    = &refusal{http.StatusBadRequest, "bad_request", `the body is not {"message": "…"}`}
)

// maxBody bounds a request's body in bytes.
const maxBody = 16 << 10

func (v *Views) list(w http.ResponseWriter, r *http.Request) {
	all, err := v.all(r.Context())
	v.answer(w, r, http.StatusOK, all, err)
}

func (v *Views) all(ctx context.Context) ([]Message, error) {
	rows, err := v.DB.QueryContext(ctx, `SELECT `+columns+` FROM messages ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []Message{}
	for rows.Next() {
		m, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, rows.Err()
}

func (v *Views) create(r *http.Request, user string) (status int, answer any, err error) {
	text, err := textOf(r)
	if err != nil {
		return 0, nil, err
	}
	m, err := insert(r.Context(), v.DB, user, text)
	return http.StatusCreated, m, err
}

func (v *Views) update(r *http.Request, user string) (status int, answer any, err error) {
	m, err := v.own(r, user)
	if err != nil {
		return 0, nil, err
	}
	text, err := textOf(r)
	if err != nil {
		return 0, nil, err
	}
	m, err = scan(v.DB.QueryRowContext(r.Context(), `UPDATE messages SET message = $1 WHERE id = $2 RETURNING `+columns, text, m.ID))
	return http.StatusOK, m, err
}

func (v *Views) delete(r *http.Request, user string) (status int, answer any, err error) {
	m, err := v.own(r, user)
	if err != nil {
		return 0, nil, err
	}
	_, err = v.DB.ExecContext(r.Context(), `DELETE FROM messages WHERE id = $1`, m.ID)
	return http.StatusNoContent, nil, err
}

// own finds the message that the path names, if the user may change it. An
// author does not change, so that the answer is good for what follows.
func (v *Views) own(r *http.Request, user string) (Message, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil {
		return Message{}, errGone
	}
	m, err := find(r.Context(), v.DB, id)
	if err == nil && m.Author != user {
		err = errAnother
	}
	return m, err
}

// textOf reads the message that a request has.
func textOf(r *http.Request) (string, error) {
	var m Message
	if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
		return "", errBody
	}
	return m.Message, m.Validate()
}

// view answers a request of a user.
type view func(r *http.Request, user string) (status int, answer any, err error)

// authenticated lets in who has a token.
func (v *Views) authenticated(view view) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		who, err := v.Users.Authenticate(r.Context(), r, token.FromHeader(r))
		if errors.Is(err, token.ErrNone) || errors.Is(err, token.ErrInvalid) {
			err = errNobody
		}
		var status int
		var value any
		if err == nil {
			status, value, err = view(r, usernameOf(who))
		}
		v.answer(w, r, status, value, err)
	}
}

// usernameOf is the name of who is logged in, "" of nobody.
func usernameOf(who token.Identity) string {
	user, _ := who.Value.(token.User)
	return user.Username
}
