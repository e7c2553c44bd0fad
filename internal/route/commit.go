package route

import (
	"slices"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

type netKey struct {
	table int
	key   schema.Value
}

// staged is what has come of a commit that is not at its end: the changes that
// concern rows, buckets or windows in memory.
type staged struct {
	under   bool
	changes []feed.Change
	// at is the place in changes of each row that they name.
	at map[netKey]int
	// dropped tells that some changes concerned nothing.
	dropped bool
	// reads came meanwhile. What they bring may have been changed by what was
	// dropped before it was in memory.
	reads []*Read
}

// Stage takes one part of a large commit, which ends with a call of Commit.
// Nothing of it shows before.
func (t *Router) Stage(c *feed.Commit) {
	st := &t.staged
	if !st.under {
		st.under, st.at = true, map[netKey]int{}
	}
	for i := range c.Changes {
		ch := &c.Changes[i]
		k := netKey{ch.Table.ID, ch.Key}
		at, named := st.at[k]
		// Old rows are not kept: what they tell besides is whether the row is new.
		next := feed.Change{Table: ch.Table, Key: ch.Key, New: ch.New, Missing: ch.Missing, Blind: ch.New != nil && !ch.Replaces()}
		switch {
		case named:
			follow(&next, &st.changes[at])
			st.changes[at] = next
		case t.concerns(ch):
			st.at[k] = len(st.changes)
			st.changes = append(st.changes, next)
		default:
			st.dropped = true
		}
	}
}

// concerns tells whether a change is of a row in memory, or of one that comes
// into what is shown.
func (t *Router) concerns(ch *feed.Change) bool {
	tab := t.tables[ch.Table.ID]
	switch {
	case tab.rows.get(ch.Key) != nil:
		return true
	case len(ch.Missing) > 0:
		return tab.watcher(ch.New) != nil
	default:
		return ch.New != nil && tab.shows(ch.New)
	}
}

// Commit applies a commit, with what was staged of it. What it means for the
// scopes is told by Flush.
func (t *Router) Commit(c *feed.Commit) {
	if t.staged.under {
		t.commitStaged(c)
		return
	}
	t.pos = uint64(c.Position)
	fillWithin(c.Changes)
	if t.reads > 0 {
		t.kept.add(c)
	}
	t.applyAll(c.Changes)
}

func (t *Router) commitStaged(c *feed.Commit) {
	t.Stage(c)
	st := t.staged
	t.staged = staged{}
	t.pos = uint64(c.Position)
	switch {
	case t.reads == 0:
	case st.dropped:
		t.kept.lose(c)
	default:
		whole := *c
		whole.Changes = st.changes
		t.kept.add(&whole)
	}
	t.applyAll(st.changes)
	for _, read := range st.reads {
		t.Merge(read)
	}
}

func (t *Router) applyAll(changes []feed.Change) {
	if len(changes) == 1 {
		t.apply(&changes[0])
		return
	}
	// Only the last state of a row counts: a row that is moved away and back
	// must not lose what is known below it on the way.
	clear(t.net)
	for i := range changes {
		t.net[netKey{changes[i].Table.ID, changes[i].Key}] = i
	}
	t.changes = changes
	for i := range changes {
		if t.net[netKey{changes[i].Table.ID, changes[i].Key}] == i {
			t.applied = i
			t.apply(&changes[i])
		}
	}
	t.changes = nil
}

// upcoming is a known row as it is at the end of the commit that is being applied.
func (t *Router) upcoming(r *row) schema.Row {
	if t.changes == nil {
		return r.vals
	}
	i, changes := t.net[netKey{r.table.def.ID, r.key}]
	if !changes || i <= t.applied {
		return r.vals
	}
	c := t.changes[i]
	if len(c.Missing) > 0 && r.vals != nil {
		fill(&c, r.vals, nil)
	}
	return c.New
}

func (t *Router) apply(c *feed.Change) {
	tab := t.tables[c.Table.ID]
	r := tab.rows.get(c.Key)
	if len(c.Missing) > 0 {
		if r != nil && r.vals != nil && c.Replaces() {
			t.change(r, nil)
		}
		if r == nil || r.vals == nil {
			t.applyPartial(tab, c.Key, c.New)
			return
		}
		fill(c, r.vals, nil)
	}
	switch {
	case r == nil:
		if c.New == nil || !tab.shows(c.New) {
			return
		}
		r = tab.row(c.Key)
		r.known = true
		t.change(r, c.New)
	case !r.known:
		t.learn(r, c.New)
	default:
		t.change(r, c.New)
	}
}

// history is the commits since the oldest read in flight began, up to a
// limit of changes.
type history struct {
	commits []*feed.Commit
	changes int
	limit   int
	// lost is the position of the newest commit that did not fit.
	lost uint64
	// gaps counts the lost commits of which a read's position does not tell whether
	// it saw them.
	gaps uint64
}

func (h *history) add(c *feed.Commit) {
	h.commits = append(h.commits, c)
	h.changes += len(c.Changes)
	n := 0
	for h.changes > h.limit {
		h.noteLost(h.commits[n])
		h.changes -= len(h.commits[n].Changes)
		n++
	}
	h.commits = slices.Delete(h.commits, 0, n)
}

// after is what was kept, after commits from before that are not part of it.
func (h *history) after(before []*feed.Commit) []*feed.Commit {
	if len(h.commits) > 0 {
		kept := h.commits[0].Position
		before = slices.DeleteFunc(slices.Clone(before), func(c *feed.Commit) bool { return c.Position >= kept })
	}
	return slices.Concat(before, h.commits)
}

// lose gives up what was kept, with a commit of which not all was there to be
// kept.
func (h *history) lose(c *feed.Commit) {
	for _, kept := range h.commits {
		h.noteLost(kept)
	}
	h.clear()
	h.noteLost(c)
}

func (h *history) noteLost(c *feed.Commit) {
	h.lost = uint64(c.Position)
	if c.Transaction != 0 {
		h.gaps++
	}
}

func (h *history) clear() {
	clear(h.commits)
	h.commits, h.changes = h.commits[:0], 0
}
