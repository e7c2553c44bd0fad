package pando_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

// leaves fails the test unless OnDisconnect has run once, while nothing else
// did.
func (d *bureau) leaves() {
	d.t.Helper()
	select {
	case got := <-d.left:
		if got != "0 running" {
			d.t.Errorf("OnDisconnect ran with %s", got)
		}
	case <-time.After(10 * time.Second):
		d.t.Fatal("OnDisconnect did not run")
	}
	for _, r := range d.visitors {
		r.Conn.Close() // the server would leave them a moment to do so
	}
	d.server.Stop(d.t) // what could call it once more has ended
	select {
	case <-d.left:
		d.t.Error("OnDisconnect ran twice")
	default:
	}
}

// OnDisconnect runs exactly once, after the last action has returned.
func TestOnDisconnectRunsOnce(t *testing.T) {
	ask := func(r *reader, id int, payload string) {
		r.Sendf(`{"stream":"s1","id":%d,"payload":%s}`, id, payload)
	}
	const (
		closing  = `{"type":"close"}`
		stall    = `{"type":"action","name":"stall","args":[]}`
		deaf     = `{"type":"action","name":"deaf","args":[]}`
		progress = `{"type":"action","name":"progress","args":[]}`
		beside   = `{"type":"action","name":"beside","args":[]}`
	)
	for name, scenario := range map[string]func(d *bureau){
		"close": func(d *bureau) {
			r := d.dial("ada")
			ask(r, 3, closing)
			r.until(`"id":3,"payload":{"type":"closed"}`)
		},
		"close twice, and a drop": func(d *bureau) {
			r := d.dial("ada")
			ask(r, 3, closing)
			ask(r, 4, closing)
			r.until(`"id":4,`)
			r.Conn.Close()
		},
		"panic in an action": func(d *bureau) {
			r := d.dial("ada")
			wants(d.t, r.act("panic", `[]`, ""), `"code":"internal"`)
			r.Conn.Close()
		},
		"drop during an action": func(d *bureau) {
			r := d.dial("ada")
			ask(r, 3, stall)
			<-d.stalled
			r.Conn.Close()
		},
		"drop while actions go on": func(d *bureau) {
			r := d.dial("ada")
			ask(r, 3, deaf)
			ask(r, 4, beside)
			<-d.stalled
			<-d.stalled
			r.Conn.Close()
			for range 2 {
				<-d.ended
			}
			close(d.release)
		},
		"close during an action": func(d *bureau) {
			r := d.dial("ada")
			ask(r, 3, stall)
			<-d.stalled
			ask(r, 4, closing)
			r.until(`"id":3,"payload":{"type":"error","code":"unavailable"`)
			r.until(`"id":4,"payload":{"type":"closed"}`)
		},
		"close while actions go on": func(d *bureau) {
			r := d.dial("ada")
			ask(r, 3, beside)
			ask(r, 4, deaf)
			<-d.stalled
			<-d.stalled
			ask(r, 5, closing)
			r.flush()
			close(d.release)
			r.until(`"id":5,"payload":{"type":"closed"}`)
		},
		"server shutdown during an action": func(d *bureau) {
			r := d.dial("ada")
			ask(r, 3, progress)
			r.until(`"note":"half"`)
			done := make(chan struct{})
			go func() {
				defer close(done)
				close(d.release)
				r.until("close 1001")
				r.Conn.Close()
			}()
			d.server.Stop(d.t)
			<-done
		},
		"drop during OnConnect": func(d *bureau) {
			began := make(chan struct{})
			d.onConnect = func(ctx context.Context, _ *DeskChannel) error {
				close(began)
				<-ctx.Done()
				return nil
			}
			r := d.visit("ada")
			ask(r, 2, `{"type":"open","route":"docs/1"}`)
			<-began
			r.Conn.Close()
		},
		"refused by OnConnect": func(d *bureau) {
			d.onConnect = func(context.Context, *DeskChannel) error { return errors.New("not now") }
			r := d.visit("ada")
			wants(d.t, r.open("s1", "1"), `"code":"internal"`)
		},
		"panic in OnConnect": func(d *bureau) {
			d.onConnect = func(context.Context, *DeskChannel) error { panic("at the door") }
			r := d.visit("ada")
			wants(d.t, r.open("s1", "1"), `"code":"internal"`)
		},
		"close during OnConnect": func(d *bureau) {
			began := make(chan struct{})
			d.onConnect = func(ctx context.Context, _ *DeskChannel) error {
				close(began)
				<-ctx.Done()
				return ctx.Err()
			}
			r := d.visit("ada")
			ask(r, 2, `{"type":"open","route":"docs/1"}`)
			<-began
			ask(r, 3, closing)
			r.until(`"id":3,`)
		},
		"panic in a wrapper after permission": func(d *bureau) {
			d.app.Use(func(next pando.Handler) pando.Handler {
				return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
					if _, err := next(ctx, r); err != nil {
						return nil, err
					}
					panic("at the wrapper")
				}
			})
			d.server = pandotest.Serve(d.t, d.app)
			r := d.visit("ada")
			wants(d.t, r.open("s1", "1"), `"code":"internal"`)
			wants(d.t, d.log.String(), "at the wrapper")
		},
		"refused after permission": func(d *bureau) {
			d.app.Use(func(next pando.Handler) pando.Handler {
				return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
					if _, err := next(ctx, r); err != nil {
						return nil, err
					}
					return nil, pando.Errorf("denied", "by a wrapper")
				}
			})
			d.server = pandotest.Serve(d.t, d.app)
			r := d.visit("ada")
			wants(d.t, r.open("s1", "1"), `"code":"denied"`)
		},
		"refused by a recheck during an action": func(d *bureau) {
			r := d.dial("ada")
			d.denied.Store(true)
			ask(r, 3, beside)
			<-d.stalled
			d.app.Recheck("ada")
			close(d.release)
			r.until(`"type":"closed","code":"denied"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newBureau(t)
			if !strings.Contains(name, "after permission") { // which changes the app before it runs
				d.server = pandotest.Serve(t, d.app)
			}
			scenario(d)
			d.leaves()
		})
	}
}

func TestOnDisconnectRunsOnceWhenATokenIsRevoked(t *testing.T) {
	d := newBureau(t)
	users := token.New(d.db)
	if err := users.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := users.CreateUser(t.Context(), "ada", "lovelace", "Ada"); err != nil {
		t.Fatal(err)
	}
	tok, err := users.Issue(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	source := sqlitefeed.New(d.db)
	t.Cleanup(func() { source.Close() })
	if d.app, err = pando.New(pando.Config{Source: source, Auth: users}); err != nil {
		t.Fatal(err)
	}
	d.app.Handle("docs/{doc_id}", pando.For(func() *DeskChannel { return &DeskChannel{desk: d} }, pando.Actions((*DeskChannel).Stall)))
	d.server = pandotest.Serve(t, d.app)
	r := d.dial(tok)
	r.Sendf(`{"stream":"s1","id":3,"payload":{"type":"action","name":"stall","args":[]}}`)
	<-d.stalled
	if err := users.Revoke(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	r.until("close 4401") // while the action runs: its context ends, and it is not answered
	r.Conn.Close()
	d.leaves()
}
