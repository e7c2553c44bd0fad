package session

import (
	"net/http"

	"github.com/pando-sync/pando/internal/rpc"
)

// statuses are the HTTP forms of the coded errors.
var statuses = map[string]int{
	"bad_frame":       http.StatusBadRequest,
	"bad_request":     http.StatusBadRequest,
	"bad_argument":    http.StatusBadRequest,
	"invalid":         http.StatusBadRequest,
	"unauthenticated": http.StatusUnauthorized,
	"denied":          http.StatusForbidden,
	"unknown_channel": http.StatusNotFound,
	"unknown_stream":  http.StatusNotFound,
	"not_found":       http.StatusNotFound,
	"conflict":        http.StatusConflict,
	"stream_open":     http.StatusConflict,
	"too_large":       http.StatusRequestEntityTooLarge,
	"rate_limited":    http.StatusTooManyRequests,
	"internal":        http.StatusInternalServerError,
	"unavailable":     http.StatusServiceUnavailable,
	"gap":             http.StatusServiceUnavailable,
	"timeout":         http.StatusGatewayTimeout,
}

// StatusOf is the status of HTTP that means what a coded error does; ok is false
// for an app's own code.
func StatusOf(code string) (status int, ok bool) {
	status, ok = statuses[code]
	return status, ok
}

// statusOf is what errors of streams of demultiplexers tell.
func statusOf(e *rpc.Error) int {
	if status, ok := statuses[e.Code]; ok {
		return status
	}
	return http.StatusBadRequest
}
