package route

import (
	"cmp"
	"slices"
)

// Steps are ways from one version to another that led over versions between. What
// another process on the database has shown at one of those is not continued by
// what was made of all the way: of that a row is no part that came and went.
type Steps struct {
	// before is the version up to which nothing is known any more.
	before uint64
	// all are in order.
	all []step
}

type step struct{ from, to uint64 }

// Note notes a step, and forgets the oldest above a number: who holds something
// older reads anew.
func (s *Steps) Note(from, to uint64, most int) {
	if to < from+2 {
		return // nobody stands between
	}
	if len(s.all) >= most {
		half := most / 2
		s.before = s.all[half-1].to
		s.all = append(s.all[:0], s.all[half:]...)
	}
	s.all = append(s.all, step{from, to})
}

// Over tells whether a step leads over a version, as far as is known.
func (s *Steps) Over(version uint64) bool {
	i, _ := slices.BinarySearchFunc(s.all, version, func(one step, v uint64) int { return cmp.Compare(one.to, v) })
	return version < s.before || i < len(s.all) && s.all[i].from < version && version < s.all[i].to
}
