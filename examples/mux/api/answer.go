package api

import (
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/pando-sync/pando"
)

// answer writes what a view returned. Errors that are not for the caller go to
// the log.
func (v *Views) answer(w http.ResponseWriter, r *http.Request, status int, value any, err error) {
	if errors.Is(err, sql.ErrNoRows) {
		err = errGone
	}
	if refused, ok := errors.AsType[*refusal](err); ok {
		write(w, refused.status, fault(refused.code, refused.message, nil))
		return
	}
	if invalid, ok := errors.AsType[*pando.Error](err); ok { // by Message.Validate
		write(w, http.StatusBadRequest, fault(invalid.Code, invalid.Message, invalid.Fields))
		return
	}
	if err != nil {
		v.Log.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
		write(w, http.StatusInternalServerError, fault("internal", "internal error", nil))
		return
	}
	write(w, status, value)
}

// fault is the body of a refusal, in the form that Pando's own have.
func fault(code, message string, fields map[string]string) any {
	type body struct {
		Code    string            `json:"code"`
		Message string            `json:"message"`
		Fields  map[string]string `json:"fields,omitempty"`
	}
	return map[string]body{"error": {code, message, fields}}
}

func write(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Cache-Control", "no-store")
	if status == http.StatusNoContent {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(value) //nolint:errchkjson // messages; a client that has gone needs no answer
}
