package pipe

import (
	"cmp"
	"slices"
)

// steps are the commits that may hold more transactions than one. Another process
// on the database may have stood between those: what its clients were shown then
// is not continued by what was made of all of them at once, of which a row is no
// part that came and went.
type steps struct {
	// before is the version up to which nothing is known any more.
	before uint64
	// all are in order.
	all []step
}

// step is the way from one version to the next at which the pipe stood.
type step struct{ from, to uint64 }

// maxSteps bounds what is remembered; who holds something older reads anew.
const maxSteps = 1 << 16

func (s *steps) note(from, to uint64) {
	if to < from+2 {
		return // nobody stands between
	}
	if len(s.all) == maxSteps {
		const half = maxSteps / 2
		s.before = s.all[half-1].to
		s.all = append(s.all[:0], s.all[half:]...)
	}
	s.all = append(s.all, step{from, to})
}

// over tells whether a step leads over a version, as far as is known.
func (s *steps) over(version uint64) bool {
	i, _ := slices.BinarySearchFunc(s.all, version, func(one step, v uint64) int { return cmp.Compare(one.to, v) })
	return version < s.before || i < len(s.all) && s.all[i].from < version && version < s.all[i].to
}
