package manage

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pando-sync/pando/token"
)

// Tokens is a Users that gives out tokens; token.Store does.
type Tokens interface {
	FindUser(ctx context.Context, username string) (token.User, error)
	Issue(ctx context.Context, userID int64) (string, error)
	IssueFor(ctx context.Context, userID int64, lifetime time.Duration) (string, error)
	Revoke(ctx context.Context, token string) error
	RevokeAll(ctx context.Context, userID int64) error
}

// createtoken is the command that logs a user in for a program.
type createtoken struct {
	Username string         `arg:"" help:"Name of the user."`
	Lifetime *time.Duration `help:"How long the token is good for, such as 24h; 0 is for ever. The app's own lifetime unless given."`
}

// Run prints a new token, alone on a line, so that a script can take it.
func (t *createtoken) Run(env *environment, c *commands) error {
	if t.Lifetime != nil && (*t.Lifetime < 0 || *t.Lifetime > 0 && *t.Lifetime < time.Second) {
		return fmt.Errorf("a token cannot last for %v: give a second or more, or 0 for ever", *t.Lifetime)
	}
	return env.withTokens(c, func(tokens Tokens) error {
		user, err := tokens.FindUser(env.ctx, t.Username)
		if err != nil {
			return err
		}
		issued, err := t.issue(env.ctx, tokens, user.ID)
		if err != nil {
			return err
		}
		fmt.Fprintln(env.stdout, issued)
		return nil
	})
}

func (t *createtoken) issue(ctx context.Context, tokens Tokens, user int64) (string, error) {
	if t.Lifetime == nil {
		return tokens.Issue(ctx, user)
	}
	return tokens.IssueFor(ctx, user, *t.Lifetime)
}

// revoketoken is the command that ends tokens, and the connections that stand on
// them.
type revoketoken struct {
	Token string `arg:"" help:"Token to revoke." optional:""`
	User  string `help:"Revoke all tokens of this user instead." placeholder:"USERNAME"`
}

// Run revokes one token or those of a user. A token that is unknown is none
// already.
func (t *revoketoken) Run(env *environment, c *commands) error {
	if (t.Token == "") == (t.User == "") {
		return errors.New("give either a token or --user")
	}
	return env.withTokens(c, func(tokens Tokens) error {
		if t.Token != "" {
			return tokens.Revoke(env.ctx, t.Token)
		}
		user, err := tokens.FindUser(env.ctx, t.User)
		if err != nil {
			return err
		}
		return tokens.RevokeAll(env.ctx, user.ID)
	})
}

// withTokens opens the project for what works on its tokens.
func (e *environment) withTokens(c *commands, fn func(Tokens) error) error {
	return e.with(c.settings(), func(p *Project) error {
		tokens, ok := p.Users.(Tokens)
		if !ok {
			return errors.New("this app keeps no tokens that can be managed here: set Project.Users to a token.Store")
		}
		if err := call(e.ctx, p.Migrate); err != nil {
			return fmt.Errorf("migrate: %w", err)
		}
		return fn(tokens)
	})
}
