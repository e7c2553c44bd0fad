package pandotest

import (
	"context"
	"encoding/json"
	"fmt"
)

// Save sets fields of the row id of the instance type of, such as "Card", and
// waits until the state shows it. data becomes a JSON object, as the protocol has
// it. A refusal is a *pando.Error.
func (s *Stream[S]) Save(ctx context.Context, of string, id, data any) error {
	return s.ask(ctx, nil, map[string]any{"type": "save", "of": of, "id": fmt.Sprint(id), "data": data})
}

// Create creates a row of the instance type of by a relation of a parent: its
// type, its key and the relation's name, or by none in a list. It returns the
// row's key once the state shows it; see Save.
func (s *Stream[S]) Create(ctx context.Context, of string, data any, in ...any) (key string, err error) {
	payload := map[string]any{"type": "create", "of": of, "data": data}
	if len(in) > 0 {
		place := make([]string, len(in))
		for i, part := range in {
			place[i] = fmt.Sprint(part)
		}
		payload["in"] = place
	}
	err = s.ask(ctx, &key, payload)
	return key, err
}

// Delete deletes the row id of the instance type of; see Save.
func (s *Stream[S]) Delete(ctx context.Context, of string, id any) error {
	return s.ask(ctx, nil, map[string]any{"type": "delete", "of": of, "id": fmt.Sprint(id)})
}

// ask makes an action or a write and waits until the state shows what it did.
func (s *Stream[S]) ask(ctx context.Context, result, payload any) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn := s.client.present()
	if conn == nil {
		return ErrDropped
	}
	answer, err := conn.Ask(ctx, s.core.Name(), payload)
	if err != nil {
		return err
	}
	if result != nil {
		if err := json.Unmarshal(answer.Value, result); err != nil {
			return fmt.Errorf("decode result %s: %w", answer.Value, err)
		}
	}
	return conn.Passed(ctx, answer.Version)
}
