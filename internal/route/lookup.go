package route

import "github.com/pando-sync/pando/schema"

// lookup finds things by the values of one column. Integers, which most keys
// are, have a map of their own: it is looked up faster than one of Values, and
// is less than half its size.
type lookup[T any] struct {
	ints   map[int64]*T
	others map[schema.Value]*T
}

func newLookup[T any]() lookup[T] {
	return lookup[T]{ints: map[int64]*T{}, others: map[schema.Value]*T{}}
}

// get returns what is there for a value, or nil.
func (x *lookup[T]) get(v schema.Value) *T {
	if v.Kind() == schema.Int {
		return x.ints[v.Int()]
	}
	return x.others[v]
}

func (x *lookup[T]) set(v schema.Value, p *T) {
	if v.Kind() == schema.Int {
		x.ints[v.Int()] = p
	} else {
		x.others[v] = p
	}
}

func (x *lookup[T]) delete(v schema.Value) {
	if v.Kind() == schema.Int {
		delete(x.ints, v.Int())
	} else {
		delete(x.others, v)
	}
}

func (x *lookup[T]) len() int { return len(x.ints) + len(x.others) }
