// Package rpc is typed calls of Go functions by JSON arguments, and the coded
// errors that cross the wire.
package rpc

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Error is an error that a client is told of: a code of spec/protocol.md or of
// the application, and a text. Any other error is internal, and its text stays
// on the server.
type Error struct {
	Code    string
	Message string
	// Retry tells that the same request may succeed later, RetryAfter how long to
	// wait at least; 0 leaves it to the client.
	Retry      bool
	RetryAfter time.Duration
	// Unknown tells that the request may have been carried out, in part or whole.
	Unknown bool
	// Fields tells what is wrong with single fields, by their names on the wire.
	Fields map[string]string
}

// Invalid is the error "invalid" of one field, by its name on the wire.
func Invalid(field, format string, args ...any) *Error {
	text := fmt.Sprintf(format, args...)
	return &Error{Code: "invalid", Message: field + ": " + text, Fields: map[string]string{field: text}}
}

// InFields is an error of several fields.
func InFields(code string, texts map[string]string) *Error {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		parts = append(parts, name+": "+texts[name])
	}
	return &Error{Code: code, Message: strings.Join(parts, "; "), Fields: texts}
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Errorf returns a coded error.
func Errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// Unavailable is the error for what cannot be read or followed now.
func Unavailable() *Error {
	return &Error{Code: "unavailable", Message: "the database cannot be read now, try again later", Retry: true}
}

// Public returns what a client may be told of an error, and whether that is
// all of it: false says that the error's own text must be logged.
func Public(err error) (e *Error, whole bool) {
	if errors.As(err, &e) {
		return e, true
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Error{Code: "unavailable", Message: "the request was given up", Retry: true}, true
	}
	return &Error{Code: "internal", Message: "something went wrong on the server"}, false
}
