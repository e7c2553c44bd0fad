package peer

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/pando-sync/pando/internal/wire"
	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// whole tells whether the stream holds a complete state, be it an old one. The
// mutex is held, here as below.
func (s *Stream) whole() bool {
	return len(s.parts) > 0 && !slices.ContainsFunc(s.parts, func(p *part) bool { return !p.whole })
}

// settled tells whether all parts are complete.
func (s *Stream) settled() bool {
	return len(s.parts) > 0 && !slices.ContainsFunc(s.parts, func(p *part) bool { return !p.complete() })
}

// show has the stream show what its parts hold, once that is complete.
func (s *Stream) show() {
	if !s.settled() {
		return
	}
	s.shown = make([]*state.Store, len(s.parts))
	for i, p := range s.parts {
		s.shown[i] = p.store
	}
	s.shows++
}

// join readies a part for each scope of an answer to open; the frames that
// follow are read by types, and shared has the part of another stream for each
// scope that one shows already. It returns nothing after an error, which the
// stream keeps.
func (s *Stream) join(types []wire.Type, o *wire.Opened, shared []*part) []*part {
	parts, err := s.ready(types, o, shared)
	if err != nil {
		s.shut(err)
	}
	return parts
}

func (s *Stream) ready(types []wire.Type, o *wire.Opened, shared []*part) ([]*part, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) != len(o.Scopes) {
		s.parts = make([]*part, len(o.Scopes))
		for i := range s.parts {
			s.parts[i] = &part{stream: s, store: state.NewStore()}
		}
	}
	decoder, err := s.decoder(types, o.Channel)
	if err != nil {
		s.parts = nil
		return nil, &Error{Code: "schema", Message: fmt.Sprintf("stream %s: %s", s.route, err)}
	}
	for i, sc := range o.Scopes {
		if err := s.parts[i].attach(decoder, o.Epoch, sc.Resumed, shared[i]); err != nil {
			s.parts = nil
			return nil, fmt.Errorf("stream %s: %w", s.route, err)
		}
	}
	if !s.settled() {
		// What is shown stays as it is until all parts are complete.
		for _, p := range s.parts {
			if p.complete() {
				p.store = p.store.Clone()
			}
		}
	}
	s.show()
	return s.parts, nil
}

func (s *Stream) decoder(types []wire.Type, channel string) (*wire.Decoder, error) {
	d, err := wire.NewDecoder(types, s.tree, channel)
	if err != nil || !s.events.Strict {
		return d, err
	}
	if missing := d.Missing(s.tree); len(missing) > 0 {
		return nil, fmt.Errorf("the server does not declare %s: bring the structs in line with channel %s",
			strings.Join(missing, ", "), channel)
	}
	return d, nil
}

// feed applies a state frame to a part. The mutex is not held.
func (s *Stream) feed(p *part, f *wire.StateFrame) {
	s.mu.Lock()
	s.frames++
	err := p.feed(f)
	if err == nil {
		s.show()
	}
	broken := err != nil && s.ended == nil
	s.mu.Unlock()
	if broken {
		s.shut(fmt.Errorf("stream %s: %w", s.route, err))
	}
}

// stray counts a frame that came after the stream had left its scope.
func (s *Stream) stray() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frames++
}

// anchor is the key of the root's row: of those that the route may mean, the
// last one that is there.
func (s *Stream) anchor() schema.Value {
	for _, key := range s.anchors {
		ref := state.Ref{Type: s.tree.Root.Type, Key: key}
		if slices.ContainsFunc(s.shown, func(rows *state.Store) bool { return rows.Get(ref) != nil }) {
			return key
		}
	}
	if len(s.anchors) > 0 {
		return s.anchors[0]
	}
	return schema.Value{}
}

// anchorsIn are the keys that a route may name, the last parameter first: which
// one it is only the app knows. A list has none.
func anchorsIn(route string, tree *schema.Tree) []schema.Value {
	if tree.Root.Relation == schema.List {
		return nil
	}
	var keys []schema.Value
	for _, segment := range slices.Backward(strings.Split(route, "/")) {
		if key, err := tree.Root.Type.Table.ParseKey(unescape(segment)); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

func unescape(segment string) string {
	if text, err := url.PathUnescape(segment); err == nil {
		return text
	}
	return segment
}
