package pando

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/session"
	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
	"github.com/pando-sync/pando/token"
)

// mounter is an Authenticator with endpoints of its own.
type mounter interface{ Mount(mux *http.ServeMux) }

// mount lays out the app's paths, in a fixed order.
func (a *App) mount() error {
	a.mux = http.NewServeMux()
	a.mux.HandleFunc("GET /ws", a.serveSocket)
	a.mux.HandleFunc("GET /state/{route...}", a.serveState)
	a.mux.HandleFunc("GET /healthz", a.serveHealth)
	a.mux.HandleFunc("GET /readyz", a.serveReady)
	a.mux.HandleFunc("GET /livez", a.serveLive)
	if m, ok := a.cfg.Auth.(mounter); ok {
		m.Mount(a.mux)
	}
	a.mux.HandleFunc("/api/", func(w http.ResponseWriter, _ *http.Request) {
		session.WriteError(w, http.StatusNotFound, rpc.Errorf("not_found", "no such endpoint"))
	})
	if a.cfg.Static == nil {
		return nil
	}
	for _, name := range []string{"ws", "state", "api", "healthz", "readyz", "livez"} {
		if _, err := fs.Stat(a.cfg.Static, name); err == nil {
			return errors.New("pando: Config.Static has " + name + ", which is a path of the app's own: rename it")
		}
	}
	a.mux.HandleFunc("/", a.serveStatic)
	return nil
}

// ServeHTTP implements http.Handler.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case a.asksForSocket(r):
		a.servePlace(w, r)
	case a.wantsSocket(r):
		w.Header().Set("Upgrade", "websocket")
		session.WriteError(w, http.StatusUpgradeRequired, rpc.Errorf("bad_request", "this path is for WebSockets: connect by ws:// or wss://"))
	default:
		a.mux.ServeHTTP(w, r)
	}
}

// running returns the sessions' server, or answers that there is none yet.
func (a *App) running(w http.ResponseWriter) *session.Server {
	a.mu.RLock()
	server := a.server
	a.mu.RUnlock()
	if server == nil {
		session.WriteError(w, http.StatusServiceUnavailable, rpc.Errorf("unavailable", "the app does not run: call App.Run"))
	}
	return server
}

func (a *App) serveSocket(w http.ResponseWriter, r *http.Request) {
	server := a.running(w)
	if server == nil {
		return
	}
	if err := a.pipe.Stalled(); err != nil {
		session.WriteError(w, http.StatusServiceUnavailable, rpc.Unavailable()) // another node may be well
		return
	}
	server.ServeHTTP(w, r)
}

// serveState answers GET /state/{route}: the nested state as one read
// transaction sees it.
func (a *App) serveState(w http.ResponseWriter, r *http.Request) {
	if a.running(w) == nil {
		return
	}
	tok := token.FromHeader(r)
	user, err := a.Authenticate(r.Context(), r, tok)
	switch {
	case errors.Is(err, token.ErrNone):
		user, err = Identity{}, nil
	case errors.Is(err, token.ErrInvalid):
		err = rpc.Errorf("unauthenticated", "the token or session is not valid")
	case err == nil:
		err = session.CheckAmbient(r, a.cfg.Origins, user, tok)
	}
	var tree *snapshot.Tree
	var body []byte
	if err == nil {
		// The path as it was sent: a key may contain an encoded slash.
		_, asked, _ := strings.Cut(r.URL.EscapedPath(), "/state/")
		tree, body, err = a.state(r.Context(), user, asked)
	}
	if err != nil {
		a.writeError(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Pando-Epoch", tree.Version.Epoch)
	h.Set("Pando-Version", strconv.FormatUint(tree.Version.N, 10))
	w.Write(append(body, '\n')) //nolint:errcheck,gosec // it is JSON; the caller may have gone
}

// state reads the nested state of a route for a user.
func (a *App) state(ctx context.Context, user Identity, asked string) (tree *snapshot.Tree, body []byte, err error) {
	c, args, err := a.find(asked)
	if err != nil {
		return nil, nil, err
	}
	env, err := c.env(user, args)
	if err != nil {
		return nil, nil, err
	}
	read := errNotAsked
	_, err = a.handler(ctx, &Request{
		Kind: "state", User: user, Channel: c.schema.Name, Route: asked,
		run: func(ctx context.Context, r *Request) (json.RawMessage, error) {
			tree, body, read = a.readState(ctx, c, r.User, args, envKey(env))
			return nil, read
		},
	})
	return tree, body, cmp.Or(err, read)
}

// readState asks for permission and reads the nested state.
func (a *App) readState(ctx context.Context, c *channel, user Identity, args Args, env schema.Value) (*snapshot.Tree, []byte, error) {
	anchor := c.anchorOf(args)
	v, err := a.permit(ctx, c, nil, user, args, "")
	if err != nil {
		return nil, nil, a.denied(ctx, c, anchor, env, err)
	}
	tree, err := snapshot.ReadTree(ctx, a.cfg.Source, c.schema.Tree, anchor, env, c.partOf(user))
	if err != nil {
		return nil, nil, err
	}
	a.judgeTree(ctx, c, v, tree)
	body := tree.Store.AppendJSON(nil, c.schema.Tree, anchor)
	if string(body) == "null" {
		return nil, nil, c.missing(anchor)
	}
	return tree, body, nil
}

// judgeTree takes the rows out of a list that IsVisible does not let pass.
func (a *App) judgeTree(ctx context.Context, c *channel, v AnyChannel, tree *snapshot.Tree) {
	judge := v.judge(v)
	if judge == nil {
		return
	}
	st := &stream{app: a, channel: c, judge: judge}
	place := c.schema.Tree.Root.Type
	var hidden []state.Ref
	tree.Store.Each(place, func(row schema.Row) {
		if !st.isVisible(ctx, row) {
			hidden = append(hidden, state.Ref{Type: place, Key: row[place.Table.Key]})
		}
	})
	for _, ref := range hidden {
		tree.Store.Delete(ref)
	}
}

func (c *channel) missing(anchor schema.Value) error {
	return rpc.Errorf("not_found", "%s %s does not exist", c.schema.Tree.Root.Type.Name, anchor)
}

// denied tells a caller who was refused if there is nothing to be refused.
func (a *App) denied(ctx context.Context, c *channel, anchor, env schema.Value, err error) error {
	if e, ok := rpc.Public(err); !ok || e.Code != "denied" || c.list {
		return err
	}
	switch exists, failed := snapshot.Exists(ctx, a.cfg.Source, c.schema.Tree, anchor, env); {
	case failed != nil:
		return failed
	case !exists:
		return c.missing(anchor)
	}
	return err
}

func (a *App) writeError(w http.ResponseWriter, r *http.Request, err error) {
	e, whole := rpc.Public(err)
	if !whole {
		a.cfg.Logger.ErrorContext(r.Context(), "request failed", "path", r.URL.Path, "error", err)
	}
	status, ok := session.StatusOf(e.Code)
	if !ok {
		status = http.StatusUnprocessableEntity // an app's own code
	}
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Token")
	}
	session.WriteError(w, status, e)
}

// serveStatic serves Config.Static. Files whose names change with their
// content, as bundlers write them below assets/, may be kept for ever.
func (a *App) serveStatic(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	name := cmp.Or(strings.TrimPrefix(path.Clean("/"+r.URL.Path), "/"), ".")
	info, err := fs.Stat(a.cfg.Static, name)
	page := err != nil && path.Ext(name) == ""
	switch {
	case page, err == nil && info.IsDir():
		a.servePage(w, r)
		return
	case strings.HasPrefix(name, "assets/"):
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeFileFS(w, r, a.cfg.Static, name) //nolint:gosec // the path is clean and an fs.FS has no other root
}

// servePage serves index.html, which a browser asks for anew each time. It is
// told apart by its content: after a rollback, or where all builds have one date,
// the date of another page would keep the wrong one in the browser.
func (a *App) servePage(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-cache")
	if text, err := fs.ReadFile(a.cfg.Static, "index.html"); err == nil {
		sum := sha256.Sum256(text)
		w.Header().Set("ETag", `"`+hex.EncodeToString(sum[:16])+`"`)
	}
	http.ServeFileFS(w, r, a.cfg.Static, "index.html")
}
