package pando

import (
	"encoding/json"
	"fmt"
)

// SetRuntime changes the runtime state: change gets the present one. What
// differs afterwards is mirrored in the client, all changes made within one
// turn as one frame. It returns an error when a member cannot be encoded as
// JSON; nothing is sent then.
//
// A client that comes back after its connection was lost goes on from the
// runtime state that it had: OnConnect finds what JSON carries of it. See
// [FreshRuntime].
func (c *Channel[S, R]) SetRuntime(change func(*R)) error {
	news, first, err := c.change(change)
	if err != nil {
		return fmt.Errorf("set runtime state: %w", err)
	}
	if c.stream == nil {
		return nil
	}
	if first {
		c.app.runtimes.add(c.stream, &c.base)
	}
	if news {
		c.stream.request.Wake()
	}
	return nil
}

// change changes the runtime state; news tells that something is to be sent,
// first that it was never changed before.
func (c *Channel[S, R]) change(change func(*R)) (news, first bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, ok := c.runtime.(*R)
	if !ok {
		now = new(R)
	}
	next := *now
	change(&next)
	if err := c.publish(&next); err != nil {
		return false, false, err
	}
	first, c.touched = !c.touched, true
	return len(c.unsent) > 0, first, nil
}

// Runtime is a copy of the runtime state.
func (c *Channel[S, R]) Runtime() R {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now, ok := c.runtime.(*R); ok {
		return *now
	}
	return *new(R)
}

// start makes the runtime state, of what is kept of an earlier stream if
// anything is.
//
//nolint:unused // AnyChannel asks for it
func (c *Channel[S, R]) start(kept map[string]json.RawMessage) error {
	now := new(R)
	if kept != nil {
		text, err := json.Marshal(kept)
		if err == nil {
			err = json.Unmarshal(text, now)
		}
		if err != nil {
			return fmt.Errorf("take over runtime state: %w", err)
		}
		defer c.app.runtimes.add(c.stream, &c.base)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.touched = kept != nil
	return c.publish(now)
}

// publish notes which members differ from what was sent. The mutex is held.
func (b *base) publish(runtime any) error {
	text, err := json.Marshal(runtime)
	if err != nil {
		return err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return fmt.Errorf("want a struct: %w", err)
	}
	for name, value := range members {
		if string(b.members[name]) == string(value) {
			continue
		}
		b.note(name, value)
	}
	// A member that omitempty leaves out now is null for the client.
	for name := range b.members {
		if _, ok := members[name]; !ok {
			members[name] = json.RawMessage("null")
			if string(b.members[name]) != "null" {
				b.note(name, members[name])
			}
		}
	}
	b.runtime, b.members = runtime, members
	return nil
}

func (b *base) note(name string, value json.RawMessage) {
	if b.unsent == nil {
		b.unsent = map[string]json.RawMessage{}
	}
	b.unsent[name] = value
}

// take returns what was not sent yet.
func (b *base) take() map[string]json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	unsent := b.unsent
	b.unsent = nil
	return unsent
}

// shown returns the members of the runtime state, which nobody changes.
func (b *base) shown() map[string]json.RawMessage {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.members
}
