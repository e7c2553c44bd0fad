package pando

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
)

// BroadcastSystemMessage shows a text to the clients of all connections, on all
// nodes over the same database. It needs no running app: a command in a process
// of its own may call it. Config.Source must be a feed.Writer. It begins a
// transaction, and returns an error within another one.
func (a *App) BroadcastSystemMessage(ctx context.Context, text string) error {
	if err := a.sendSystem(ctx, systemMessage, system{Text: text}); err != nil {
		return fmt.Errorf("pando: broadcast system message: %w", err)
	}
	return nil
}

// Maintenance tells the clients of all connections, on all nodes over the same
// database, that the service goes away for about retryAfter, and closes them once
// what has begun for them is answered, for which there are some seconds. They come
// back by themselves after that time and a random part of as much
// again. New connections are refused until then. As with BroadcastSystemMessage,
// the app need not run here.
func (a *App) Maintenance(ctx context.Context, text string, retryAfter time.Duration) error {
	var err error
	if retryAfter <= 0 || retryAfter > maxMaintenance {
		err = fmt.Errorf("retry after %s: give a time between 0 and %s", retryAfter, maxMaintenance)
	} else {
		err = a.sendSystem(ctx, systemMaintenance, system{Text: text, RetryAfter: retryAfter.Milliseconds()})
	}
	if err != nil {
		return fmt.Errorf("pando: maintenance: %w", err)
	}
	return nil
}

// maxMaintenance is the longest time that clients are sent away for.
const maxMaintenance = 24 * time.Hour

// ExpireCache has all nodes over the same database forget what they hold of it in
// memory, and read it anew. Clients reconnect, and get their state anew where it
// differs. What is in Config.Cache is dropped, too, which is left alone until all
// nodes have heard of it; to drop that alone, see DropCache. As with
// BroadcastSystemMessage, the app need not run here.
func (a *App) ExpireCache(ctx context.Context) error {
	err := a.sendSystem(ctx, systemExpire, system{})
	if err == nil && a.cfg.Cache != nil {
		_, err = a.DropCache(ctx, cache.Filter{})
	}
	if err != nil {
		return fmt.Errorf("pando: expire cache: %w", err)
	}
	return nil
}

// messageRow is Pando's own table, by which processes tell each other what all of
// them have to do. Rows are short-lived: they are read as they come.
type messageRow struct {
	ID        string `db:"id"`
	Topic     string `db:"topic"`
	Kind      string `db:"kind"`
	Body      string `db:"body"`
	CreatedAt int64  `db:"created_at"` // milliseconds
}

// TableName implements the schema's naming of tables.
func (messageRow) TableName() string { return "pando_messages" }

// The topic of system messages, and their kinds.
const (
	systemTopic       = "system"
	systemMessage     = "message"
	systemMaintenance = "maintenance"
	systemExpire      = "expire"
)

const (
	// messagesKept is how long messages stay, for nodes that are behind.
	messagesKept = 10 * time.Minute
	// maxSystemText bounds a message's text, in bytes.
	maxSystemText = 8 << 10
)

// system is the body of a system message.
type system struct {
	Text       string `json:"text,omitempty"`
	RetryAfter int64  `json:"retry_after,omitempty"` // milliseconds
}

// messages is the table of messages; its zero value is of an app that has none.
type messages struct {
	table *schema.Table
	// columns are indexes in the table's.
	id, topic, kind, body, created int
	// wake has something when there may be messages to read.
	wake chan struct{}
}

// look has the messages read. It never blocks.
func (m *messages) look() {
	select {
	case m.wake <- struct{}{}:
	default: // nobody reads them, or somebody is about to
	}
}

// declareMessages has the table of messages followed, where the source can write
// to it.
func (a *App) declareMessages() error {
	if _, ok := a.cfg.Source.(feed.Writer); !ok {
		return nil
	}
	table, topic, err := a.registry.Watch(reflect.TypeFor[messageRow](), "topic")
	if err != nil {
		return fmt.Errorf("pando: %w", err)
	}
	at := func(name string) int {
		return slices.IndexFunc(table.Columns, func(c schema.Column) bool { return c.Name == name })
	}
	a.messages = messages{table, at("id"), topic, at("kind"), at("body"), at("created_at"), make(chan struct{}, 1)}
	return nil
}

// query selects the messages of the system.
func (m *messages) query() feed.Query {
	return feed.Query{Table: m.table, Column: m.topic, Values: []schema.Value{schema.TextValue(systemTopic)}}
}

// sendSystem writes a message for all nodes, and deletes those that are old.
func (a *App) sendSystem(ctx context.Context, kind string, body system) error {
	if len(body.Text) > maxSystemText {
		return fmt.Errorf("the text has %d bytes: %d are the most", len(body.Text), maxSystemText)
	}
	if err := a.Setup(ctx); err != nil {
		return err
	}
	m := &a.messages
	if m.table == nil {
		return fmt.Errorf("Config.Source is a %T, which does not write: give one that is a feed.Writer", a.cfg.Source)
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	now := time.Now()
	_, err = a.transact(ctx, nil, func(ctx context.Context, tx feed.Tx) (json.RawMessage, error) {
		if err := m.trim(ctx, tx, now.Add(-messagesKept)); err != nil {
			return nil, err
		}
		_, err := tx.Insert(ctx, m.table, []feed.Assignment{
			{Column: m.id, Value: schema.TextValue(rand.Text())},
			{Column: m.topic, Value: schema.TextValue(systemTopic)},
			{Column: m.kind, Value: schema.TextValue(kind)},
			{Column: m.body, Value: schema.TextValue(string(text))},
			{Column: m.created, Value: schema.IntValue(now.UnixMilli())},
		})
		return nil, err
	})
	return err
}

// trim deletes the messages from before a time.
func (m *messages) trim(ctx context.Context, tx feed.Tx, before time.Time) error {
	var old []schema.Value
	err := tx.Rows(ctx, m.query(), feed.Exclusive, func(row schema.Row) error {
		if row[m.created].Int() < before.UnixMilli() {
			old = append(old, row[m.id])
		}
		return nil
	})
	for i := 0; i < len(old) && err == nil; i++ {
		err = tx.Delete(ctx, m.table, old[i])
	}
	return err
}

// listener carries out the messages that come while the app runs.
type listener struct {
	app   *App
	watch *pipe.Watch // of the table; nil where there is none
	// seen are those that are in the table and were carried out, or were there
	// before.
	seen map[schema.Value]struct{}
}

// listen returns a listener to whom all that is in the table now is old.
func (a *App) listen(ctx context.Context) (*listener, error) {
	l := &listener{app: a}
	m := &a.messages
	if m.table == nil {
		return l, nil
	}
	on := pipe.On{Table: m.table, Column: m.topic, Value: schema.TextValue(systemTopic)}
	// First the watch, then the look: what comes in between is news.
	l.watch = a.pipe.Watch([]pipe.On{on}, m.look)
	if _, err := l.news(ctx); err != nil {
		l.watch.Close()
		return nil, err
	}
	return l, nil
}

// run carries messages out until ctx ends.
func (l *listener) run(ctx context.Context) {
	if l.watch == nil {
		return
	}
	defer l.watch.Close()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.app.messages.wake:
		}
		for pause := shortPause; !l.hear(ctx); pause = min(2*pause, longPause) {
			select {
			case <-ctx.Done():
				return
			case <-time.After(pause):
			}
		}
	}
}

// Bounds of the pause before messages that could not be read are tried again.
const (
	shortPause = 10 * time.Millisecond
	longPause  = time.Second
)

// hear reads what is new, at a time when reads see it, and carries it out. It
// returns false when that has to be tried again.
func (l *listener) hear(ctx context.Context) bool {
	var all []schema.Row
	err := l.watch.Settle(ctx, func(ctx context.Context) error {
		rows, err := l.news(ctx)
		all = append(all, rows...)
		return err
	}, func() {})
	for _, row := range all {
		l.carryOut(ctx, row)
	}
	if err != nil && ctx.Err() == nil {
		l.app.cfg.Logger.WarnContext(ctx, "cannot read the system's messages: trying again", "error", err)
	}
	return err == nil
}

// news reads the messages that were not seen yet, in their order.
func (l *listener) news(ctx context.Context) ([]schema.Row, error) {
	snap, err := l.app.cfg.Source.Snapshot(ctx)
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	defer snap.Close()
	m := &l.app.messages
	seen := map[schema.Value]struct{}{}
	var rows []schema.Row
	err = snap.Rows(ctx, m.query(), func(row schema.Row) error {
		seen[row[m.id]] = struct{}{}
		if _, old := l.seen[row[m.id]]; !old {
			rows = append(rows, row)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read messages: %w", err)
	}
	l.seen = seen
	slices.SortFunc(rows, func(a, b schema.Row) int {
		return cmp.Or(a[m.created].Compare(b[m.created]), a[m.id].Compare(b[m.id]))
	})
	return rows, nil
}

func (l *listener) carryOut(ctx context.Context, row schema.Row) {
	a := l.app
	kind := row[a.messages.kind].Str()
	var body system
	if err := json.Unmarshal([]byte(row[a.messages.body].Str()), &body); err != nil {
		a.cfg.Logger.ErrorContext(ctx, "a message of the system cannot be read", "kind", kind, "error", err)
		return
	}
	a.mu.RLock()
	server := a.server
	a.mu.RUnlock()
	switch kind {
	case systemMessage:
		server.Broadcast(wire.Message(wire.Control, 0, wire.System{Type: "system", Kind: systemMessage, Text: body.Text}))
	case systemMaintenance:
		server.Maintenance(body.Text, time.Duration(body.RetryAfter)*time.Millisecond)
	case systemExpire:
		if err := a.pipe.Expire(ctx); err != nil && !errors.Is(err, context.Canceled) {
			a.cfg.Logger.ErrorContext(ctx, "cannot expire what is in memory", "error", err)
		}
	default:
		a.cfg.Logger.WarnContext(ctx, "a message of the system is of another release", "kind", kind)
	}
}
