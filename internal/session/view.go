package session

import (
	"slices"

	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/internal/wire"
)

// view is one scope that the session shows, by one stream or several. The
// session's mutex guards it.
type view struct {
	sub     *pipe.Attachment
	streams []*stream
	// frames go out before what the cursors have.
	frames []*wire.Frame
	// behind tells that the view is being caught up, skip that it has to be.
	behind, skip bool

	// What the writer found out: up to which version the cursors may be read,
	// whether that is less than there is since a stream is in doubt, and whether
	// they have something.
	upto      uint64
	held, due bool
}

// shows tells whether the view is of the same parts of the same scope.
func (v *view) shows(a *pipe.Attachment) bool {
	return v.sub.Scope == a.Scope && slices.EqualFunc(v.sub.Parts, a.Parts, func(p, o pipe.Part) bool { return p.ID == o.ID })
}

// heldFrom is the first version that one of the view's streams, or the session
// itself, must not be sent now, and 0 when all may.
func (v *view) heldFrom(auth *pipe.Watch) uint64 {
	from := uint64(0)
	if auth != nil {
		from = auth.Held()
	}
	for _, st := range v.streams {
		if held := st.watch.Held(); held > 0 && (from == 0 || held < from) {
			from = held
		}
	}
	return from
}

// watches are those that may hold the view.
func (v *view) watches(auth *pipe.Watch) []*pipe.Watch {
	var all []*pipe.Watch
	if auth != nil {
		all = append(all, auth)
	}
	for _, st := range v.streams {
		all = append(all, st.watch)
	}
	return all
}

// peek returns the version of the view's next frames and their number, one for
// each part at most. One that is being caught up has none.
func (v *view) peek() (version uint64, n int, lost bool) {
	v.due = false
	if v.behind {
		return 0, 0, false
	}
	if v.skip {
		return 0, 0, !v.held
	}
	for i := range v.sub.Parts {
		f, gone := v.sub.Parts[i].Cursor.Peek(v.upto)
		switch {
		case gone:
			// What is held is caught up when it may be sent again.
			return 0, 0, !v.held
		case f == nil:
		case n == 0 || f.Version < version:
			version, n = f.Version, 1
		case f.Version == version:
			n++
		}
	}
	v.due = n > 0
	return version, n, false
}

// take takes the frames of a version that peek has found.
func (v *view) take(b *batch, version uint64) {
	for i := range v.sub.Parts {
		c := v.sub.Parts[i].Cursor
		if f := c.Seen(); f != nil && f.Version == version {
			b.add(f)
			c.Take()
		}
	}
}
