package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
)

// WriteOption says more about a write.
type WriteOption func(map[string]any)

// Seen has a save refused with the code conflict when a field has another value
// than the caller saw: values by their names on the wire, as in data.
func Seen(values map[string]any) WriteOption {
	return func(payload map[string]any) { payload["seen"] = values }
}

// In is where a row is created: the parent's type, its key and the relation's
// name, such as "List", 3, "cards". It is left out in a list.
func In(parent string, key any, relation string) WriteOption {
	return func(payload map[string]any) { payload["in"] = []string{parent, fmt.Sprint(key), relation} }
}

// Key has a write applied under a key of the caller's; see CallKeyed.
func Key(key string) WriteOption { return func(payload map[string]any) { payload["key"] = key } }

// Save sets fields of the row with a key of a type, such as "Card", and returns
// once the state shows it. data is a map or a struct that becomes a JSON object
// of what to set, by names on the wire.
//
// Writes are applied once, and sent again after a drop. They are not shown
// before they are confirmed.
func (s *Stream[S]) Save(ctx context.Context, of string, key, data any, opts ...WriteOption) error {
	_, err := s.write(ctx, "save", of, opts, map[string]any{"id": fmt.Sprint(key), "data": data})
	return err
}

// Create creates a row of a type and returns its key once the state shows it;
// see Save and In.
func (s *Stream[S]) Create(ctx context.Context, of string, data any, opts ...WriteOption) (key string, err error) {
	value, err := s.write(ctx, "create", of, opts, map[string]any{"data": data})
	if err != nil {
		return "", err
	}
	if err := json.Unmarshal(value, &key); err != nil {
		return "", fmt.Errorf("create %s: decode key %s: %w", of, value, err)
	}
	return key, nil
}

// Delete deletes the row with a key of a type; see Save.
func (s *Stream[S]) Delete(ctx context.Context, of string, key any, opts ...WriteOption) error {
	_, err := s.write(ctx, "delete", of, opts, map[string]any{"id": fmt.Sprint(key)})
	return err
}

func (s *stream) write(ctx context.Context, op, of string, opts []WriteOption, payload map[string]any) (json.RawMessage, error) {
	payload["type"], payload["of"], payload["key"] = op, of, rand.Text()
	for _, o := range opts {
		o(payload)
	}
	return s.ask(ctx, op+" "+of, payload)
}
