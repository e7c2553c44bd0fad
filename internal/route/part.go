package route

import "github.com/pando-sync/pando/schema"

// Part returns the part of a scope that one user alone is sent, opened when it
// is new. It is loading while the scope is; Loaded, Snapshot, Since and Owner
// work on it as on a scope, and it is ready when the whole scope is.
func (t *Router) Part(s *Scope, user schema.Value) *Scope {
	if user.IsNull() {
		panic("route: the part of nobody")
	}
	p := s.part(user)
	if p.quiet && !s.closed {
		p.loading = true
	}
	return p
}

// ClosePart forgets what a part remembers of its past. Its rows stay while the
// scope is open; closing the scope closes all its parts.
func (t *Router) ClosePart(p *Scope) {
	p.hush()
	t.unused(p)
}

// part returns the part of a user, made when it is missing, nil for NULL: a row
// that names nobody is shown to nobody.
func (s *Scope) part(user schema.Value) *Scope {
	if user.IsNull() {
		return nil
	}
	p := s.parts[user]
	if p == nil {
		p = &Scope{Key: s.Key, whole: s, user: user, env: s.env, shape: s.shape, quiet: true}
		if s.parts == nil {
			s.parts = map[schema.Value]*Scope{}
		}
		s.parts[user] = p
	}
	return p
}

// unlinked counts one link into a part less.
func (t *Router) unlinked(s *Scope) {
	s.links--
	if s.links == 0 {
		t.unused(s)
	}
}

// unused lets the sweep see to a part that nobody has opened and that nothing
// links to.
func (t *Router) unused(p *Scope) {
	if p.whole != p && !p.leaving && p.forgettable() {
		p.leaving = true
		t.parts = append(t.parts, p)
	}
}

func (s *Scope) forgettable() bool { return s.links == 0 && s.quiet && !s.loading }

// sweepParts forgets parts that are in nobody's use.
func (t *Router) sweepParts() {
	for _, p := range t.parts {
		p.leaving = false
		if p.forgettable() {
			delete(p.whole.parts, p.user)
		}
	}
	clear(t.parts)
	t.parts = t.parts[:0]
}
