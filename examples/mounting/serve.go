package mounting

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/pando-sync/pando"
)

// Serve serves until ctx ends, and returns when all requests are answered and
// all connections closed.
func Serve(ctx context.Context, app *pando.App, h http.Handler, listener net.Listener) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	appCtx, stopApp := context.WithCancel(context.WithoutCancel(ctx))
	defer stopApp()

	ended := make(chan error, 2)
	go func() { ended <- app.Run(appCtx) }()
	go func() { ended <- server.Serve(listener) }()

	var failure error
	left := 2
	select {
	case <-ctx.Done():
	case failure = <-ended: // one of them failed: stop the other
		left--
	}
	// Shutdown waits for requests. Sockets are none any more: the app closes
	// them, with a code that has the pages come back.
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	failure = errors.Join(failure, server.Shutdown(grace))
	stopApp()
	for ; left > 0; left-- {
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			failure = errors.Join(failure, err)
		}
	}
	return failure
}

// Proxy is a reverse proxy before the app. Host stays what the browser sent:
// pages are told from strangers' by it.
func Proxy(target *url.URL) http.Handler {
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.SetXForwarded()
		r.Out.Host = r.In.Host
	}}
}
