package client

import (
	"context"
	"errors"
	"time"

	"github.com/pando-sync/pando/internal/peer"
)

// Outcome is what is known of a request that failed.
type Outcome string

const (
	// Failed is what was refused or never sent.
	Failed Outcome = "failed"
	// Unknown is what was sent and not answered, or given up on the way: it may
	// have been carried out.
	Unknown Outcome = "unknown"
)

// Error is what all functions of this package return.
//
// Besides the codes of the protocol and the app's own there are: lost, for what
// was sent on a connection that broke before the answer; timeout and canceled,
// for a context that ended first; schema, for structs that know more than the
// server declares; protocol, for a server of another protocol; and closed, for a
// stream or client that was closed.
type Error struct {
	// Code is a stable word to branch on.
	Code    string
	Message string
	// Fields is what is wrong, by the names of single fields.
	Fields map[string]string
	// Retry tells that the same may succeed later, RetryAfter how long to wait at
	// least, 0 if nothing is known.
	Retry      bool
	RetryAfter time.Duration
	Outcome    Outcome

	cause error
}

// Error implements error.
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Unwrap returns what the error was made of: a *pando.Error where the server
// has refused, or why a context has ended.
func (e *Error) Unwrap() error { return e.cause }

// errorOf makes the client's error of another one.
func errorOf(op string, err error, outcome Outcome) error {
	if already, ok := errors.AsType[*Error](err); ok {
		return already
	}
	if coded, ok := errors.AsType[*peer.Error](err); ok {
		outcome = Failed
		if coded.Unknown {
			outcome = Unknown
		}
		return &Error{
			Code: coded.Code, Message: op + ": " + coded.Message, Fields: coded.Fields, Retry: coded.Retry,
			RetryAfter: coded.RetryAfter, Outcome: outcome, cause: err,
		}
	}
	code := "protocol"
	switch {
	case errors.Is(err, peer.ErrDropped):
		code = "lost"
	case errors.Is(err, context.DeadlineExceeded):
		code = "timeout"
	case errors.Is(err, context.Canceled):
		code = "canceled"
	}
	return &Error{Code: code, Message: op + ": " + err.Error(), Outcome: outcome, cause: err}
}
