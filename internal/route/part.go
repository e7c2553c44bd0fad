package route

import "github.com/pando-sync/pando/schema"

// Part returns the part of a scope that one user alone is sent, opened when it
// is new. It is loading while the scope is; Loaded, Snapshot, Since and Owner
// work on it as on a scope, and it is ready when the whole scope is.
func (t *Router) Part(s *Scope, user schema.Value) *Scope {
	if p := s.parts[user]; p != nil {
		return p
	}
	if s.parts == nil {
		s.parts = map[schema.Value]*Scope{}
	}
	p := &Scope{Key: s.Key, whole: s, user: user, loading: true, layers: s.layers}
	s.parts[user] = p
	return p
}

// ClosePart forgets what a part remembers of its past. Its rows stay while the
// scope is open; closing the scope closes all its parts.
func (t *Router) ClosePart(p *Scope) {
	p.closed = true
	delete(p.whole.parts, p.user)
	p.delta, p.seen, p.tombs = nil, nil, nil
}
