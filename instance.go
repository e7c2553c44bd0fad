package pando

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/pando-sync/pando/internal/snapshot"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Instance names one row as one type shows it: see Ref.
type Instance struct {
	typ reflect.Type
	key any
}

// Ref names the row of T's table with a key, which is written as a route would
// have it: a number or text, "7,3" for one of several columns.
func Ref[T any](key any) Instance { return Instance{reflect.TypeFor[T](), key} }

// instanceNotice is the name of the notices of BroadcastInstance.
const instanceNotice = "instance"

// BroadcastInstance tells the clients of streams that show a row of it once more,
// as the notice "instance" with {"type": …, "instance": {…}}: the fields that the
// channel declares, as they are committed, read anew on each node. Streams in
// whose tree the row is not are told nothing; of a stream's own list the rows
// count that meet its conditions.
//
// State needs no such call: it follows the database by itself. This is for what
// clients do besides, such as pointing at a row.
func (a *App) BroadcastInstance(ctx context.Context, at Target, instance Instance, options ...NotifyOption) error {
	err := a.sendInstance(ctx, at, instance, options)
	if err != nil {
		return fmt.Errorf("broadcast instance %s %v: %w", instance.typ, instance.key, err)
	}
	return nil
}

func (a *App) sendInstance(ctx context.Context, at Target, instance Instance, options []NotifyOption) error {
	c, err := a.channelOf(at.channel)
	if err != nil {
		return err
	}
	t := c.shows(func(t *schema.Type) bool { return t.GoType == instance.typ })
	if t == nil {
		return fmt.Errorf("channel %s does not show %s: give a struct of its tree", c.schema.Name, instance.typ)
	}
	key := fmt.Sprint(instance.key)
	if _, err := t.Table.ParseKey(key); err != nil {
		return fmt.Errorf("key of table %s: %w", t.Table.Name, err)
	}
	return a.sendNotice(ctx, at, &notice{Of: t.Name, Key: key}, options)
}

// shows finds a type among those that the channel's clients are shown.
func (c *channel) shows(is func(*schema.Type) bool) *schema.Type {
	for _, l := range c.schema.Tree.Layers {
		if !l.Hidden && l.Through == nil && is(l.Type) {
			return l.Type
		}
	}
	return nil
}

const (
	// maxInstances bounds the instances that wait to be read; further ones are
	// dropped, and that is logged.
	maxInstances = 64
	// instanceTime is how long reading one may take.
	instanceTime = 15 * time.Second
)

// takeInstance has an instance read, and told the streams here that show it.
func (a *App) takeInstance(to aim, n *notice) {
	t := to.channel.shows(func(t *schema.Type) bool { return t.Name == n.Of })
	if t == nil {
		return // of another release
	}
	key, err := t.Table.ParseKey(n.Key)
	if err != nil {
		return // of another release
	}
	select {
	case a.instances <- func(ctx context.Context) { a.tellInstance(ctx, to, n.User, state.Ref{Type: t, Key: key}) }:
	default:
		a.cfg.Logger.Warn("an instance is not broadcast: too many wait to be read", "channel", n.Channel, "type", n.Of, "key", n.Key)
	}
}

// runNotices reads the instances that are to be told.
func (a *App) runNotices(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case tell := <-a.instances:
			tell(ctx)
		}
	}
}

// sight is what streams share that see the same of a tree.
type sight struct {
	anchor, env, user schema.Value
	private           uint64
}

func (s *stream) sight() sight {
	return sight{s.channel.anchorOf(s.args), envKey(s.env), s.part, s.private}
}

// tellInstance reads the trees that the streams show, each once, and tells those
// in whose tree the row is.
func (a *App) tellInstance(ctx context.Context, to aim, user *string, ref state.Ref) {
	ctx, cancel := context.WithTimeout(ctx, instanceTime)
	defer cancel()
	seen := map[sight]json.RawMessage{}
	for _, s := range a.open.at(&to, user) {
		if s.judge != nil {
			// IsVisible is the stream's own hook: it is asked in the stream's line.
			s.request.Do(func(ctx context.Context) { s.showInstance(ctx, ref) })
			continue
		}
		at := s.sight()
		body, read := seen[at]
		if !read {
			var err error
			if body, err = a.readInstance(ctx, s, at, ref); err != nil {
				a.cfg.Logger.WarnContext(ctx, "an instance cannot be read to be broadcast", "channel", s.Channel(), "error", err)
				return
			}
			seen[at] = body
		}
		if body != nil {
			s.notify(instanceNotice, body)
		}
	}
}

// showInstance tells one stream of an instance.
func (s *stream) showInstance(ctx context.Context, ref state.Ref) {
	body, err := s.app.readInstance(ctx, s, s.sight(), ref)
	switch {
	case err != nil && ctx.Err() == nil:
		s.app.cfg.Logger.WarnContext(ctx, "an instance cannot be read to be broadcast", "channel", s.Channel(), "error", err)
	case body != nil:
		s.notify(instanceNotice, body)
	}
}

// readInstance is the notice of a row of a stream's tree, nil when it is not in
// it.
func (a *App) readInstance(ctx context.Context, s *stream, at sight, ref state.Ref) (json.RawMessage, error) {
	whole := s.channel.schema.Tree
	tree, err := snapshot.ReadTree(ctx, a.cfg.Source, whole, at.anchor, at.env, at.user)
	if err != nil {
		return nil, err
	}
	a.judgeTree(ctx, s.channel, s.value, tree)
	view := state.NewView(whole, tree.Store)
	row := find(view, whole.Root, view.Top(at.anchor), ref)
	if row == nil {
		return nil, nil
	}
	return encodeInstance(ref, row)
}

// find finds a row among those that a layer shows, and below.
func find(view *state.View, l *schema.Layer, rows []schema.Row, ref state.Ref) schema.Row {
	shown := l.Shown()
	for _, row := range rows {
		if shown.Type == ref.Type && row[ref.Type.Table.Key] == ref.Key {
			return row
		}
		for _, child := range shown.Children {
			if child.Hidden {
				continue
			}
			if found := find(view, child, view.Related(child, row), ref); found != nil {
				return found
			}
		}
	}
	return nil
}

// encodeInstance encodes the fields that clients are sent of a row.
func encodeInstance(ref state.Ref, row schema.Row) (json.RawMessage, error) {
	body := append([]byte(`{"type":`), strconv.Quote(ref.Type.Name)...)
	body = append(body, `,"instance":{`...)
	first := true
	for i := range ref.Type.Fields {
		f := &ref.Type.Fields[i]
		if f.Hidden {
			continue
		}
		if !first {
			body = append(body, ',')
		}
		first = false
		name, err := json.Marshal(f.Name)
		if err != nil {
			return nil, err
		}
		body = append(append(body, name...), ':')
		body = f.AppendJSON(body, row[f.Column])
	}
	return append(body, '}', '}'), nil
}
