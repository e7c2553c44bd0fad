package manage

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Messenger is an App that reaches the servers which run on its database, from
// whatever process; pando.App does.
type Messenger interface {
	// BroadcastSystemMessage shows a text to every client.
	BroadcastSystemMessage(ctx context.Context, text string) error
	// Maintenance shows a text to every client, closes the connections, and has
	// clients come back after a while.
	Maintenance(ctx context.Context, text string, retryAfter time.Duration) error
	// ExpireCache has every server forget what it holds and read it anew; clients
	// reconnect.
	ExpireCache(ctx context.Context) error
}

// broadcast is the command that shows a text to every client.
type broadcast struct {
	Text string `arg:"" help:"What to say."`
}

// Run hands the text to the servers; each shows it within moments.
func (b *broadcast) Run(env *environment, c *commands) error {
	if b.Text == "" {
		return errors.New("the text is empty: say something")
	}
	return env.withMessenger(c, func(m Messenger) error {
		return m.BroadcastSystemMessage(env.ctx, b.Text)
	})
}

// maintenance is the command that announces that the servers go away.
type maintenance struct {
	Text       string        `arg:"" help:"What to say."`
	RetryAfter time.Duration `default:"1m" help:"When clients may come back, such as 5m."`
}

// Run hands the announcement to the servers; they close their connections.
func (m *maintenance) Run(env *environment, c *commands) error {
	if m.RetryAfter <= 0 {
		return fmt.Errorf("clients cannot come back after %v: give a time above 0", m.RetryAfter)
	}
	return env.withMessenger(c, func(to Messenger) error {
		return to.Maintenance(env.ctx, m.Text, m.RetryAfter)
	})
}

// withMessenger opens the project and sets Pando's own tables up, by which the
// servers are reached. It migrates nothing of the app's.
func (e *environment) withMessenger(c *commands, fn func(Messenger) error) error {
	return e.with(c.settings(), func(p *Project) error { return e.message(p, fn) })
}

// message reaches the servers by a project that is open.
func (e *environment) message(p *Project, fn func(Messenger) error) error {
	messenger, ok := p.App.(Messenger)
	if !ok {
		return errors.New("this app reaches no servers: set Project.App to what pando.New returned")
	}
	if err := p.App.Setup(e.ctx); err != nil {
		return fmt.Errorf("set up: %w", err)
	}
	return fn(messenger)
}
