package manage

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Administrator is an App that can tell what it changes in the database, and take
// it back; pando.App does.
type Administrator interface {
	// SetupSQL returns the statements that Setup would run, and those that grant a
	// role what the app needs at run time.
	SetupSQL(ctx context.Context, role string) (statements, grants []string, err error)
	// Uninstall removes what Setup has created.
	Uninstall(ctx context.Context) error
	// NewEpoch has all nodes and clients read anew.
	NewEpoch(ctx context.Context) error
}

// migrate is the command that changes the database and nothing else.
type migrate struct {
	PrintSQL bool   `help:"Print the statements that would set the database up for Pando, and change nothing." name:"print-sql" xor:"what"`
	Role     string `help:"With --print-sql: print what this role must be granted to run the app, too."`
	NewEpoch bool   `help:"Have all nodes and clients read anew, after the database was restored from a copy." name:"new-epoch" xor:"what"`
}

// Run brings the tables of the app and of Pando up to date, or prints what that
// would take.
func (m *migrate) Run(env *environment, c *commands) error {
	if m.Role != "" && !m.PrintSQL {
		return errors.New("--role says whose grants --print-sql prints: give both")
	}
	if m.PrintSQL {
		return env.withAdministrator(c, func(a Administrator) error { return m.print(env, a) })
	}
	return env.with(c.settings(), func(p *Project) error {
		if err := p.prepare(env.ctx, false); err != nil {
			return err
		}
		// What was written of the tables as they were is of no use any more.
		if err := p.dropAll(env.ctx); err != nil || !m.NewEpoch {
			return err
		}
		a, err := administratorOf(p)
		if err != nil {
			return err
		}
		return a.NewEpoch(env.ctx)
	})
}

// print prints statements that a database's own tool takes.
func (m *migrate) print(env *environment, a Administrator) error {
	statements, grants, err := a.SetupSQL(env.ctx, m.Role)
	if err != nil {
		return err
	}
	if len(statements) == 0 {
		fmt.Fprintln(env.stdout, "-- All is in place.")
	}
	for _, statement := range append(statements, grants...) {
		fmt.Fprintln(env.stdout, strings.TrimSuffix(statement, ";")+";")
	}
	return nil
}

// withAdministrator opens the project for what works on the database itself.
func (e *environment) withAdministrator(c *commands, fn func(Administrator) error) error {
	return e.with(c.settings(), func(p *Project) error {
		a, err := administratorOf(p)
		if err != nil {
			return err
		}
		return fn(a)
	})
}

func administratorOf(p *Project) (Administrator, error) {
	a, ok := p.App.(Administrator)
	if !ok {
		return nil, errors.New("this app cannot tell what it changes in the database: set Project.App to what pando.New returned")
	}
	return a, nil
}
