// Package state is what changes hands between the router, the encoder and a
// client: instances, patches, and the nested tree that flat rows add up to.
// It is pure: no goroutines, no I/O, no clock.
package state

import "github.com/pando-sync/pando/schema"

// Version is a place in the history of a source: an epoch and the number of a
// commit in it. Numbers of one epoch are ordered by <, and are the same for
// every scope; those of two epochs cannot be compared.
type Version struct {
	Epoch string
	N     uint64
}

// Ref is the identity of an instance: type and key.
type Ref struct {
	Type *schema.Type
	Key  schema.Value
}

// Instance is one row as one type shows it. The row has the columns of the
// type's table; the type's fields tell which of them are sent.
type Instance struct {
	Ref
	Row schema.Row
}

// Update is a row that stayed in a scope and changed in at least one field of
// its type.
type Update struct {
	Ref
	Old, New schema.Row
}

// Patch is what one commit, or several conflated, changed in a scope. No
// instance is in it twice, except that a deleted one may be set again.
type Patch struct {
	N      uint64
	Set    []Instance
	Update []Update
	Delete []Ref
}

// Empty tells whether nothing changed.
func (p *Patch) Empty() bool {
	return len(p.Set) == 0 && len(p.Update) == 0 && len(p.Delete) == 0
}

// Reset empties the patch and keeps its memory.
func (p *Patch) Reset(n uint64) {
	p.N, p.Set, p.Update, p.Delete = n, p.Set[:0], p.Update[:0], p.Delete[:0]
}

// Differs tells whether two rows of t's table differ in a field that t sends.
func Differs(t *schema.Type, a, b schema.Row) bool {
	for i := range t.Fields {
		c := t.Fields[i].Column
		if a[c] != b[c] {
			return true
		}
	}
	return false
}
