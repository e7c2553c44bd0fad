package bind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// patienceOfReads is how long the worker waits for what it reads, and for the feed
// to come up to it.
const patienceOfReads = 5 * time.Second

// batch is what the worker has taken, and what it has read for the commits in it.
type batch struct {
	out    *Outbound
	reader Reader
	items  []item // the first is worked on
	pasts  map[*Model]*past
}

// past is the rows of a model with many-to-many relations, and of the tables
// between, as they were at each commit of a number of them.
//
// A snapshot shows a later state, and of each row one that some commit has left. So
// a row's state at a commit is what the next commit that the feed tells of it calls
// its old one; where there is none, what the last one has left that the feed told
// of; else what the snapshot shows. For that the feed has to have come up to the
// snapshot, since what it has not told cannot be undone.
type past struct {
	model *Model
	// upto is the last commit that it is good for.
	upto feed.Position
	// shown are rows of the snapshot, told what became of rows, in order.
	shown map[rowAt]schema.Row
	told  map[rowAt][]step
	// tied are, for each way, the rows of the table between that lead from a key, at
	// one time or another.
	tied []map[schema.Value]map[rowAt]struct{}
	err  error
}

// rowAt is a row of any table.
type rowAt struct {
	table *schema.Table
	key   schema.Value
}

// step is what a commit has made of a row.
type step struct {
	position feed.Position
	old, now schema.Row
	unknown  bool
}

// errPast tells that the feed does not say what rows were.
var errPast = errors.New("the feed does not tell what the rows of its many-to-many relations were")

// whole are the rows of a model that the first commit concerns, full: those that it
// changes, and those whose keys it changes.
func (b *batch) whole(ctx context.Context, m *Model, rows []changed) ([]changed, error) {
	keys, err := m.concerned(rows)
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	p, err := b.past(ctx, m)
	if err != nil {
		return nil, err
	}
	at := b.items[0].position
	var whole []changed
	for _, key := range keys {
		c := changed{table: m.Table, key: key}
		if c.old, err = p.full(key, at, false); err != nil {
			return nil, err
		}
		if c.now, err = p.full(key, at, true); err != nil {
			return nil, err
		}
		whole = append(whole, c)
	}
	return whole, nil
}

// concerned are the keys of the rows that changes concern, each once, in order.
func (m *Model) concerned(rows []changed) ([]schema.Value, error) {
	var keys []schema.Value
	seen := map[schema.Value]bool{}
	add := func(key schema.Value) {
		if !key.IsNull() && !seen[key] {
			seen[key] = true
			keys = append(keys, key)
		}
	}
	for i := range rows {
		c := &rows[i]
		if !m.follows(c.table) || c.same() {
			continue
		}
		if c.unknown {
			return nil, errPast
		}
		if c.table == m.Table {
			add(c.key)
		}
		for _, w := range m.ways {
			for _, row := range []schema.Row{c.old, c.now} {
				if w.Table == c.table && row != nil {
					add(row[w.Owner])
				}
			}
		}
	}
	return keys, nil
}

// past is that of a model at the first commit. It is read for all commits that have
// been taken, and once more where that was too much.
func (b *batch) past(ctx context.Context, m *Model) (*past, error) {
	if p := b.pasts[m]; p != nil && b.items[0].position <= p.upto {
		return p, p.err
	}
	p := &past{
		model: m, shown: map[rowAt]schema.Row{}, told: map[rowAt][]step{},
		tied: make([]map[schema.Value]map[rowAt]struct{}, len(m.ways)),
	}
	for i := range p.tied {
		p.tied[i] = map[schema.Value]map[rowAt]struct{}{}
	}
	ctx, cancel := context.WithTimeout(ctx, patienceOfReads)
	defer cancel()
	if p.err = p.load(ctx, b); p.err != nil {
		p.err = fmt.Errorf("read the keys of table %s: %w", m.Table.Name, p.err)
		p.upto = b.items[len(b.items)-1].position // do not wait for each of them
	}
	if b.pasts == nil {
		b.pasts = map[*Model]*past{}
	}
	b.pasts[m] = p
	return p, p.err
}

// load reads the rows that the commits concern, and what was told of them.
func (p *past) load(ctx context.Context, b *batch) error {
	keys := p.keys(b.items)
	snap, before, err := b.reader.Read(ctx)
	if err != nil {
		return err
	}
	position := snap.Position()
	if err := errors.Join(p.read(ctx, snap, keys), snap.Close()); err != nil {
		return err
	}
	later, err := b.out.queue.after(ctx, position)
	if err != nil {
		return err
	}
	for _, c := range before {
		if c.Position < b.items[0].position {
			p.note(c.Position, net(p.model.among(c.Changes)))
		}
	}
	for _, one := range slices.Concat(b.items, later) {
		if one.start > 0 {
			return errPast // a gap for all follows
		}
		for t := range one.lost {
			if p.model.follows(t) {
				return errPast
			}
		}
		p.note(one.position, net(p.model.among(one.changes)))
	}
	return nil
}

// keys are those of the rows that commits concern: all of the first, and of as many
// others as a query asks for. What cannot be told is found when its turn comes.
func (p *past) keys(items []item) []schema.Value {
	var keys []schema.Value
	seen := map[schema.Value]bool{}
	for i := range items {
		of, err := p.model.concerned(net(p.model.among(items[i].changes)))
		if i > 0 && (err != nil || len(keys)+len(of) > chunk) {
			break
		}
		for _, key := range of {
			if !seen[key] {
				seen[key] = true
				keys = append(keys, key)
			}
		}
		p.upto = items[i].position
	}
	return keys
}

// read reads rows, and those of the tables between that lead from them.
func (p *past) read(ctx context.Context, snap feed.Snapshot, keys []schema.Value) error {
	read := rowsOf(snap.Rows)
	err := read.by(ctx, p.model.Table, p.model.Table.Key, keys, func(row schema.Row) error {
		p.shown[rowAt{p.model.Table, row[p.model.Table.Key]}] = row
		return nil
	})
	for _, w := range p.model.ways {
		if err != nil {
			return err
		}
		err = read.by(ctx, w.Table, w.Owner, keys, func(row schema.Row) error {
			at := rowAt{w.Table, row[w.Table.Key]}
			p.shown[at] = row
			p.tie(at, row)
			return nil
		})
	}
	return err
}

// note notes what a commit has made of rows.
func (p *past) note(position feed.Position, rows []changed) {
	for i := range rows {
		c := &rows[i]
		at := rowAt{c.table, c.key}
		p.told[at] = append(p.told[at], step{position, c.old, c.now, c.unknown})
		p.tie(at, c.old)
		p.tie(at, c.now)
	}
}

// tie notes that a row of a table between leads from a key.
func (p *past) tie(at rowAt, row schema.Row) {
	for i, w := range p.model.ways {
		if w.Table != at.table || row == nil {
			continue
		}
		from := p.tied[i][row[w.Owner]]
		if from == nil {
			from = map[rowAt]struct{}{}
			p.tied[i][row[w.Owner]] = from
		}
		from[at] = struct{}{}
	}
}

// row is a row as a commit found it, or as it left it.
func (p *past) row(at rowAt, position feed.Position, after bool) (schema.Row, error) {
	var last *step
	steps := p.told[at]
	for i := range steps {
		s := &steps[i]
		if s.position < position || after && s.position == position {
			last = s
			continue
		}
		if s.unknown {
			return nil, errPast
		}
		return s.old, nil
	}
	switch {
	case last == nil:
		return p.shown[at], nil
	case last.unknown:
		return nil, errPast
	default:
		return last.now, nil
	}
}

// full is a row of the model with its keys, nil for none.
func (p *past) full(key schema.Value, position feed.Position, after bool) (schema.Row, error) {
	row, err := p.row(rowAt{p.model.Table, key}, position, after)
	if err != nil || row == nil {
		return nil, err
	}
	lists := make([][]schema.Value, len(p.model.ways))
	for i, w := range p.model.ways {
		for at := range p.tied[i][key] {
			tie, err := p.row(at, position, after)
			if err != nil {
				return nil, err
			}
			if tie != nil && tie[w.Owner] == key && !tie[w.Target].IsNull() {
				lists[i] = append(lists[i], tie[w.Target])
			}
		}
		lists[i] = sorted(lists[i])
	}
	return p.model.full(row, lists), nil
}
