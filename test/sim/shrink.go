package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/world"
)

// shrinker makes a script smaller that diverges: it leaves something out, plays
// what is left, some times since a race may need them, and keeps it if that
// diverges too.
type shrinker struct {
	ctx      context.Context //nolint:containedctx // it ends with the shrinking
	grounds  *grounds
	patience time.Duration
	best     *script
	err      error // how best ended
	// tries is how often a smaller script is played before it passes for sound:
	// once, unless the first one ends well too at times.
	tries int
}

// mostTries is for scripts that end badly by a race.
const mostTries = 4

// shrink returns the smallest script that it finds until ctx ends, and how it
// ends.
func shrink(ctx context.Context, g *grounds, s *script, err error, patience time.Duration) (*script, error) {
	h := &shrinker{ctx: ctx, grounds: g, patience: min(patience, 2*time.Second), best: played(s.clone()), err: err, tries: 1}
	for range 3 {
		if !h.keep(h.best) {
			h.tries = mostTries
		}
	}
	for size := -1; size != h.best.size() && ctx.Err() == nil; {
		size = h.best.size()
		h.calls()
		h.segments()
		h.clients()
		list(h, func(s *script) *[]world.Statement { return &s.First.Statements })
		h.lists()
		h.layers()
		h.tables()
		h.calm()
	}
	return h.best, h.err
}

// played is a script without what was never drawn.
func played(s *script) *script {
	s.Segments = slices.DeleteFunc(s.Segments, func(g *segmentScript) bool {
		draws := g.Draw > 0 && len(g.Events) == 0
		g.Draw = 0
		return draws
	})
	return s
}

// size is how much there is to leave out.
func (s *script) size() int {
	n := len(s.First.Statements) + len(s.Schema.Tables) + len(s.Clients)
	for _, g := range s.Segments {
		for _, e := range g.Events {
			n++
			for _, tx := range e.Txs {
				n += len(tx.Statements)
			}
		}
		for _, steps := range g.Steps {
			n += len(steps)
			for _, st := range steps {
				n += len(st.Cut)
			}
		}
	}
	for _, c := range s.Schema.Channels {
		n += len(c.Writable)
		c.Root.Walk(func(l *model.Layer) { n += 1 + len(l.Fields) + len(l.Where) + len(l.Order) + len(l.Computed) })
	}
	return n
}

// keep plays a script and keeps it if it diverges.
func (h *shrinker) keep(s *script) bool {
	for range h.tries {
		if h.ctx.Err() != nil {
			return false
		}
		one := &seed{script: s, patience: h.patience, grounds: h.grounds, tally: newTally(), journal: &journal{live: io.Discard}}
		if err := one.run(context.WithoutCancel(h.ctx)); alike(err, h.err) {
			h.best, h.err = s, err
			return true
		}
	}
	return false
}

// alike tells whether two plays ended for the same kind of reason.
func alike(a, b error) bool {
	_, one := errors.AsType[*divergenceError](a)
	_, other := errors.AsType[*divergenceError](b)
	return a != nil && b != nil && one == other
}

// without tries a copy of the best script that change has made smaller, unless
// change finds nothing to leave out.
func (h *shrinker) without(change func(s *script) bool) bool {
	s := h.best.clone()
	return change(s) && h.keep(s)
}

// list leaves parts of a list out: halves, quarters, down to single elements.
func list[T any](h *shrinker, of func(s *script) *[]T) {
	for size := len(*of(h.best)) / 2; size > 0; size /= 2 {
		for at := 0; at < len(*of(h.best)); {
			gone := h.without(func(s *script) bool {
				all := of(s)
				*all = slices.Delete(*all, at, min(at+size, len(*all)))
				return true
			})
			if !gone {
				at += size
			}
		}
	}
	if len(*of(h.best)) == 1 {
		h.without(func(s *script) bool { *of(s) = nil; return true })
	}
}

func (h *shrinker) segments() {
	for i := len(h.best.Segments) - 1; i >= 0 && len(h.best.Segments) > 1; i-- {
		h.without(func(s *script) bool { s.Segments = slices.Delete(s.Segments, i, i+1); return true })
	}
	// Two segments as one have a comparison less.
	for i := len(h.best.Segments) - 1; i > 0; i-- {
		h.without(func(s *script) bool {
			a, b := s.Segments[i-1], s.Segments[i]
			a.Events = append(a.Events, b.Events...)
			for k := range a.Steps {
				a.Steps[k] = append(a.Steps[k], b.Steps[k]...)
			}
			s.Segments = slices.Delete(s.Segments, i, i+1)
			return true
		})
	}
}

func (h *shrinker) clients() {
	for i := len(h.best.Clients) - 1; i >= 0 && len(h.best.Clients) > 1; i-- {
		h.without(func(s *script) bool {
			s.Clients = slices.Delete(s.Clients, i, i+1)
			for _, g := range s.Segments {
				g.Steps = slices.Delete(g.Steps, i, i+1)
			}
			return true
		})
	}
}

// calls leaves out all that clients write.
func (h *shrinker) calls() {
	h.without(func(s *script) bool {
		before := s.size()
		for _, g := range s.Segments {
			for k := range g.Steps {
				g.Steps[k] = slices.DeleteFunc(g.Steps[k], func(st step) bool { return slices.Contains(callOps, st.Do) })
			}
		}
		return s.size() < before
	})
}

// lists leaves out events, steps and statements.
func (h *shrinker) lists() {
	for i := range h.best.Segments {
		list(h, func(s *script) *[]event { return &s.Segments[i].Events })
		for k := range h.best.Clients {
			list(h, func(s *script) *[]step { return &s.Segments[i].Steps[k] })
			for n := range h.best.Segments[i].Steps[k] {
				h.without(func(s *script) bool {
					st := &s.Segments[i].Steps[k][n]
					was := st.Cut
					st.Cut = cutNever
					return was != cutNever
				})
			}
		}
		for k := range h.best.Segments[i].Events {
			for n := range h.best.Segments[i].Events[k].Txs {
				list(h, func(s *script) *[]world.Statement { return &s.Segments[i].Events[k].Txs[n].Statements })
			}
		}
	}
}

// calm leaves out what makes the surroundings hard.
func (h *shrinker) calm() {
	for _, change := range []func(s *script){
		func(s *script) { s.Plan.SlowFeed = false },
		func(s *script) { s.Plan.SlowRead = false },
		func(s *script) { s.LogBytes, s.Keep, s.Linger = 0, 0, 0 },
		func(s *script) { s.Narrow = false },
		func(s *script) { s.Foreign = false },
		func(s *script) { s.Plan.Crashes = false },
		func(s *script) { s.Twin = false },
		func(s *script) { s.Second = false },
		func(s *script) { s.Schema.Fat = false },
	} {
		h.without(func(s *script) bool { change(s); return true })
	}
}

// layers leaves out what the trees show.
func (h *shrinker) layers() {
	for c := range h.best.Schema.Channels {
		list(h, func(s *script) *[]*model.Writable { return &s.Schema.Channels[c].Writable })
		at := func(n int) func(s *script) *model.Layer {
			return func(s *script) *model.Layer {
				var found *model.Layer
				i := 0
				s.Schema.Channels[c].Root.Walk(func(l *model.Layer) {
					if i == n {
						found = l
					}
					i++
				})
				return found
			}
		}
		for n := 0; at(n)(h.best) != nil; n++ {
			h.layer(at(n))
		}
	}
}

func (h *shrinker) layer(at func(s *script) *model.Layer) {
	if at(h.best).Struct != "" || at(h.best).Depth > 0 {
		return // it is written by hand
	}
	list(h, func(s *script) *[]*model.Layer { return &at(s).Layers })
	list(h, func(s *script) *[]model.Computed { return &at(s).Computed })
	list(h, func(s *script) *[]model.Condition { return &at(s).Where })
	list(h, func(s *script) *[]model.Order { return &at(s).Order })
	for i := range slices.Backward(at(h.best).Fields) {
		h.without(func(s *script) bool {
			l := at(s)
			if slices.Contains(s.Schema.Table(l.Table).Key, l.Fields[i]) {
				return false
			}
			l.Fields = slices.Delete(l.Fields, i, i+1)
			return true
		})
	}
	h.without(func(s *script) bool { l := at(s); was := l.UserKey; l.UserKey = ""; return was != "" })
}

// tables leaves out those that no tree shows.
func (h *shrinker) tables() {
	for i := range slices.Backward(h.best.Schema.Tables) {
		h.without(func(s *script) bool {
			name := s.Schema.Tables[i].Name
			if shows(s.Schema, name) {
				return false
			}
			s.Schema.Tables = slices.Delete(s.Schema.Tables, i, i+1)
			s.forget(name)
			return true
		})
	}
}

func shows(s *model.Schema, table string) bool {
	found := false
	for _, c := range s.Channels {
		c.Root.Walk(func(l *model.Layer) {
			found = found || l.Table == table || l.Through != nil && l.Through.Table == table ||
				slices.ContainsFunc(l.Computed, func(c model.Computed) bool { return c.Table == table })
		})
	}
	return found
}

// forget leaves out all that names a table.
func (s *script) forget(table string) {
	for _, t := range s.Schema.Tables {
		if t.Trigger != nil && t.Trigger.Table == table {
			t.Trigger = nil
		}
		for _, c := range t.Columns {
			if c.References == table {
				c.References = ""
			}
		}
	}
	of := func(st world.Statement) bool { return st.Table == table }
	s.First.Statements = slices.DeleteFunc(s.First.Statements, of)
	for _, g := range s.Segments {
		g.Events = slices.DeleteFunc(g.Events, func(e event) bool { return e.Table == table })
		for _, e := range g.Events {
			for n := range e.Txs {
				e.Txs[n].Statements = slices.DeleteFunc(e.Txs[n].Statements, of)
			}
		}
	}
}
