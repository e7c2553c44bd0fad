package pando

import (
	"context"
	"fmt"

	"github.com/pando-sync/pando/internal/rpc"
	"github.com/pando-sync/pando/schema"
)

// List is embedded, in the place of [Channel], by channels whose state is a
// list: the rows of T's table that meet the conditions of the channel's
// [Query], each with all below it. All parameters of its route are arguments,
// and it may have none.
type List[T, R any] struct{ Channel[T, R] }

// AddInstance shows the row of a key in this stream's list, whether or not it
// meets the list's conditions. The key is written as a route would have it: a
// number or text, "7,3" for one of several columns. The channel needs
// [OwnList].
func (l *List[T, R]) AddInstance(_ context.Context, key any) error {
	k, err := l.ownKey(key)
	if err != nil {
		return fmt.Errorf("add an instance to the list: %w", err)
	}
	l.stream.list.Add(k)
	return nil
}

// RemoveInstance hides the row of a key from this stream's list until it is
// added. The channel needs [OwnList].
func (l *List[T, R]) RemoveInstance(_ context.Context, key any) error {
	k, err := l.ownKey(key)
	if err != nil {
		return fmt.Errorf("remove an instance from the list: %w", err)
	}
	l.stream.list.Remove(k)
	return nil
}

// Clear empties this stream's list: from then on it shows what is added. The
// channel needs [OwnList].
func (l *List[T, R]) Clear(context.Context) error {
	if !l.hasOwn() {
		return fmt.Errorf("clear the list: %w", errShared)
	}
	l.stream.list.Clear()
	return nil
}

//nolint:unused // AnyChannel asks for it
func (l *List[T, R]) isList() bool { return true }

// judge returns the channel's hook IsVisible as a function of any *T.
//
//nolint:unused // AnyChannel asks for it
func (l *List[T, R]) judge(channel AnyChannel) func(context.Context, *schema.Type, schema.Row) (bool, error) {
	hook, ok := channel.(interface {
		IsVisible(ctx context.Context, instance *T) (bool, error)
	})
	if !ok {
		return nil
	}
	return func(ctx context.Context, typ *schema.Type, row schema.Row) (bool, error) {
		instance := new(T)
		if err := typ.Decode(row, instance); err != nil {
			return false, err
		}
		return hook.IsVisible(ctx, instance)
	}
}

var errShared = fmt.Errorf("the list is shared by all streams with the same conditions: declare the channel with pando.OwnList()")

// hasOwn tells whether the stream has a list of its own.
func (b *base) hasOwn() bool { return b.stream != nil && b.stream.list != nil }

func (b *base) ownKey(key any) (schema.Value, error) {
	if !b.hasOwn() {
		return schema.Value{}, errShared
	}
	table := b.stream.channel.schema.Tree.Root.Type.Table
	k, err := table.ParseKey(fmt.Sprint(key))
	if err != nil {
		return schema.Value{}, fmt.Errorf("key %v of table %s: %w", key, table.Name, err)
	}
	return k, nil
}

// OwnList gives each stream of a [List] a list of its own, which AddInstance,
// RemoveInstance and Clear change. Without it streams with the same conditions
// share one, which costs less. A channel with the hook IsVisible has it.
func OwnList() Option { return option(func(d *Declaration) { d.ownList = true }) }

// judgesAtOnce bounds the calls of IsVisible that run at the same time.
const judgesAtOnce = 16

// isVisible asks the hook IsVisible about a row. One that cannot be judged is
// not shown.
func (s *stream) isVisible(ctx context.Context, row schema.Row) (visible bool) {
	// A write does not wait for room: who has it may wait for the connection that
	// the write holds.
	if TxOf(ctx) == nil {
		select {
		case s.app.judges <- struct{}{}:
			defer func() { <-s.app.judges }()
		case <-ctx.Done():
			return false
		}
	}
	typ := s.channel.schema.Tree.Root.Through.Type
	key := row[typ.Table.Key]
	failed := func(err error) {
		s.app.cfg.Logger.ErrorContext(ctx, "IsVisible failed: the row is not shown", "channel", s.Channel(), "key", key.String(), "error", err)
	}
	defer func() {
		if p := recover(); p != nil {
			failed(rpc.Panicked("IsVisible", p))
			visible = false
		}
	}()
	defer s.app.calls.end(s.app.calls.begin(s.Channel(), "IsVisible", ""))
	visible, err := s.judge(ctx, typ, row)
	if err != nil {
		failed(err)
		return false
	}
	return visible
}
