package session

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/token"
)

// connect answers who the client is.
func (c *Session) connect(id uint64, req *wire.Request) {
	if req.Protocol != wire.Protocol {
		c.fail(id, rpc.Errorf("bad_request", "protocol %d is not spoken here, want %d: reload the page", req.Protocol, wire.Protocol))
		c.close(codeVersion, "protocol version")
		return
	}
	seen := c.server.cfg.Pipe.Position()
	user, fresh, err := c.identify(req.Token)
	if err != nil {
		c.refuse(id, err)
		return
	}
	if c.anothers(user) {
		c.fail(id, rpc.Errorf("denied", "this connection is another user's: make a new one"))
		return
	}
	revocable := c.watchIdentity(user)
	if revocable && (!fresh || c.server.cfg.Pipe.Position() != seen) {
		// It may have been revoked after it was read and before it was watched.
		if user, err = c.lookAgain(c.ctx, req.Token, user.ID); err != nil {
			c.refuse(id, err)
			return
		}
	}
	c.mu.Lock()
	c.user, c.known, c.joined = user, true, true
	if len(req.Previous) <= maxSessionID {
		c.previous = req.Previous
	}
	if req.Token != "" || !revocable {
		c.token = req.Token
	}
	if !revocable {
		c.token, c.request = "", nil
	}
	c.expireAt(user.Expires)
	c.mu.Unlock()
	c.deadline.Stop()
	if auth := c.authWatch(); auth != nil && auth.Held() > 0 {
		c.doubtIdentity() // it came before there was anything to look up
	}
	c.reply(wire.Message(wire.Control, id, wire.Connected{Type: "connected", User: user.ID}))
}

// maxSessionID is longer than any session's id.
const maxSessionID = 64

// anothers tells whether the session has joined as another user.
func (c *Session) anothers(user token.Identity) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.joined && c.user.ID != user.ID
}

// identify returns who a connect's token stands for, and whether that was
// looked up just now. Without one it is whom the header or cookie named, or,
// for apps that allow it, nobody.
func (c *Session) identify(tok string) (user token.Identity, fresh bool, err error) {
	c.mu.Lock()
	user, known := c.user, c.known
	c.mu.Unlock()
	if tok == "" && known {
		return user, false, nil
	}
	user, err = c.authenticate(c.ctx, tok)
	return user, true, err
}

// authenticate asks the app who a token stands for, or, without one, the
// request that was upgraded.
func (c *Session) authenticate(ctx context.Context, tok string) (token.Identity, error) {
	c.mu.Lock()
	r := c.request
	c.mu.Unlock()
	if r == nil {
		r = &http.Request{Header: http.Header{}, Body: http.NoBody}
	}
	if tok == "" {
		tok = token.FromHeader(r)
	}
	user, err := c.server.authenticate(ctx, r.WithContext(ctx), tok)
	if tok == "" && errors.Is(err, token.ErrNone) {
		return token.Identity{}, nil // whether nobody may see something is each channel's answer
	}
	return user, err
}

func (c *Session) refuse(id uint64, err error) {
	if errors.Is(err, token.ErrInvalid) || errors.Is(err, token.ErrNone) {
		c.fail(id, rpc.Errorf("unauthenticated", "the token is not valid"))
		c.close(codeUnauthorized, "the token is not valid")
		return
	}
	c.fail(id, err)
	if e, _ := rpc.Public(err); e.Code == "denied" {
		c.close(codeDenied, "the page may not use this identity")
		return
	}
	c.close(codeFailed, "cannot authenticate")
}

// watchIdentity watches the rows that the user's identity depends on, and tells
// whether there are any.
func (c *Session) watchIdentity(user token.Identity) bool {
	if c.authWatch() != nil {
		return true
	}
	on := c.server.cfg.App.Credentials(user)
	if len(on) == 0 {
		return false
	}
	auth := c.server.cfg.Pipe.Watch(on, c.doubtIdentity)
	c.mu.Lock()
	c.auth = auth
	c.mu.Unlock()
	return true
}

func (c *Session) authWatch() *pipe.Watch {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.auth
}

// trusted waits until the identity is not in doubt, and tells whether ctx has
// lasted as long.
func (c *Session) trusted(ctx context.Context) bool {
	if auth := c.authWatch(); auth != nil && auth.Wait(ctx) != nil {
		return false
	}
	return ctx.Err() == nil
}

// doubtIdentity has the identity looked up again.
func (c *Session) doubtIdentity() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.joined && !c.ended && !c.doubting {
		c.doubting = true
		c.work.Go(c.settleIdentity)
	}
}

// settleIdentity looks the identity up again by the token that it came with.
// Meanwhile the session is sent nothing, and runs nothing.
func (c *Session) settleIdentity() {
	ctx, cancel := context.WithTimeout(c.ctx, c.server.cfg.OpenTimeout)
	defer cancel()
	c.mu.Lock()
	c.doubting = false
	c.mu.Unlock()
	err := c.authWatch().Settle(ctx, c.identifyAgain, c.skipAll)
	switch {
	case err == nil || c.ctx.Err() != nil:
		c.Ready()
	case errors.Is(err, token.ErrInvalid), errors.Is(err, token.ErrNone):
		c.expel(codeUnauthorized, "the token is not valid any more")
	default:
		c.server.cfg.Logger.ErrorContext(c.ctx, "cannot look an identity up again: the session is closed", "session", c.id, "error", err)
		c.expel(codeFailed, "cannot authenticate")
	}
}

// lookAgain looks the identity of a user up once more, by the token that it came
// with where tok is "". Another user's is none.
func (c *Session) lookAgain(ctx context.Context, tok, id string) (token.Identity, error) {
	c.mu.Lock()
	tok = cmp.Or(tok, c.token)
	c.mu.Unlock()
	user, err := c.authenticate(ctx, tok)
	if err == nil && user.ID != id {
		return token.Identity{}, token.ErrInvalid
	}
	return user, err
}

func (c *Session) identifyAgain(ctx context.Context) error {
	c.mu.Lock()
	id := c.user.ID
	c.mu.Unlock()
	user, err := c.lookAgain(ctx, "", id)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.user = user
	c.expireAt(user.Expires)
	return nil
}

// skipAll has all views caught up instead of read on.
func (c *Session) skipAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, v := range c.views {
		v.skip = true
	}
}

// expireAt has the session closed when its identity ends; zero is never. The
// mutex is held.
func (c *Session) expireAt(t time.Time) {
	if c.expiry != nil {
		c.expiry.Stop()
		c.expiry = nil
	}
	if !t.IsZero() && !c.ended {
		c.expiry = time.AfterFunc(time.Until(t), c.expire)
	}
}

func (c *Session) expire() {
	c.mu.Lock()
	expired := !c.user.Expires.IsZero() && !time.Now().Before(c.user.Expires)
	c.mu.Unlock()
	if expired {
		c.expel(codeUnauthorized, "the token has expired")
	}
}
