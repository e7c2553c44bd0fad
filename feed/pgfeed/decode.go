package pgfeed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgtype"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// plan is how rows of a relation, as the log describes it, become rows of a
// declared table.
type plan struct {
	relation *relation
	// table is nil for a relation that this process does not declare.
	table *table
	// columns and places are those of the declared columns, nil and -1 for what
	// the relation does not have.
	columns []*column
	places  []int
	// stale tells that the catalog has the table otherwise.
	stale bool
}

// plans holds the plans made so far, by the bytes that describe the relation.
type plans struct {
	mu      sync.Mutex // guards what follows
	catalog *catalog   // that they were made by
	known   map[string]*plan
}

// plansKept bounds the plans that are held: a table has a new one each time that
// its columns change.
const plansKept = 1000

// describePatience is how long the catalog may take to be read again.
const describePatience = 10 * time.Second

// undecodableError tells of a part of the log that makes no sense.
type undecodableError struct{ err error }

func (e *undecodableError) Error() string {
	return "a transaction of the log cannot be decoded: " + e.err.Error()
}
func (e *undecodableError) Unwrap() error { return e.err }

// Decode implements feed.LogSource. Changes of tables that this process does not
// declare are left out, so that a commit may have none.
func (s *Source) Decode(p feed.Part) (*feed.Commit, error) {
	catalog, err := s.described()
	if err != nil {
		return nil, err
	}
	commit, stale, err := s.decode(catalog, p)
	if stale {
		// Another release has changed the tables, or they were made again.
		if catalog, err = s.describeAgain(); err == nil {
			commit, _, err = s.decode(catalog, p)
		} else if _, stays := errors.AsType[*mismatch](err); !stays {
			err = &restartError{"a transaction of tables that were changed could not be decoded: " + err.Error()}
		}
	}
	if err == nil {
		return commit, nil
	}
	if _, ok := errors.AsType[*restartError](err); ok {
		return nil, fmt.Errorf("%w: %w", feed.ErrUntold, err)
	}
	return nil, &undecodableError{err}
}

// decode decodes by a catalog, and tells whether the log knows the tables
// otherwise.
func (s *Source) decode(c *catalog, p feed.Part) (commit *feed.Commit, stale bool, err error) {
	d := decoding{source: s, catalog: c, plans: make(map[uint32]*plan, 4),
		commit: &feed.Commit{Position: p.Position, Transaction: p.Transaction, More: p.More}}
	err = d.run(p.Data)
	return d.commit, d.stale, err
}

// decoding is the work on one part.
type decoding struct {
	source  *Source
	catalog *catalog
	plans   map[uint32]*plan
	message message
	commit  *feed.Commit
	// stale tells that a relation is not as the catalog has it.
	stale bool
}

func (d *decoding) run(data []byte) error {
	if len(data) == 0 || data[0] != dataVersion {
		return fmt.Errorf("the process that reads the log is of another release: %w", errGarbage)
	}
	for data = data[1:]; len(data) > 0; {
		length, n := binary.Uvarint(data)
		if n <= 0 || length > uint64(len(data)-n) {
			return errGarbage
		}
		raw := data[n : n+int(length)]
		data = data[n+int(length):]
		if err := parseMessage(raw, &d.message); err != nil {
			return err
		}
		if err := d.take(raw); err != nil {
			return err
		}
	}
	return nil
}

func (d *decoding) take(raw []byte) error {
	m := &d.message
	switch m.kind {
	case relationMessage:
		p, err := d.source.planOf(d.catalog, raw, m.described)
		if p != nil {
			d.plans[m.described.id] = p
			d.stale = d.stale || p.stale
		}
		return err
	case insertMessage, updateMessage, deleteMessage:
	default:
		return fmt.Errorf("message %q is none of a part: %w", byte(m.kind), errGarbage)
	}
	p := d.plans[m.relation]
	switch {
	case p == nil:
		return fmt.Errorf("a change of a table that is not described: %w", errGarbage)
	case p.table == nil:
		return nil
	case m.identity != identityNone && len(m.old) != len(p.relation.columns) || m.kind != deleteMessage && len(m.new) != len(p.relation.columns):
		return fmt.Errorf("a row of table %q has other columns than described: %w", p.table.declared.Name, errGarbage)
	}
	return d.change(p, m)
}

// change appends what a message tells of a row.
func (d *decoding) change(p *plan, m *message) error {
	declared := p.table.declared
	var old, now schema.Row
	var missing []int
	if m.identity != identityNone {
		old, _ = d.source.row(p, m.old, nil, m.identity == identityKey)
	}
	if m.kind != deleteMessage {
		now, missing = d.source.row(p, m.new, m, false)
	}
	named := now
	if named == nil {
		named = old
	}
	if named == nil || named[declared.Key].IsNull() || old != nil && old[declared.Key].IsNull() {
		return fmt.Errorf("a change of table %q does not tell the key of the row: ALTER TABLE %s REPLICA IDENTITY DEFAULT, with the declared key as primary key, or FULL",
			declared.Name, p.table.sqlName())
	}
	if i := slices.IndexFunc(missing, func(i int) bool { return links(declared, i) }); i >= 0 {
		return &restartError{fmt.Sprintf("the link %s of a row of table %s is stored outside of it and not in the log; ALTER TABLE %s REPLICA IDENTITY FULL has the log carry it",
			declared.Columns[missing[i]].Name, declared.Name, p.table.sqlName())}
	}
	full := old
	if m.identity != identityFull {
		full = nil
	}
	blind := m.kind != insertMessage && full == nil
	add := func(c feed.Change) {
		c.Table = declared
		d.commit.Changes = append(d.commit.Changes, c)
	}
	switch {
	case now == nil:
		add(feed.Change{Key: old[declared.Key], Old: full, Blind: blind})
	case old != nil && old[declared.Key] != now[declared.Key]:
		add(feed.Change{Key: old[declared.Key], Old: full, Blind: blind})
		add(feed.Change{Key: now[declared.Key], New: now, Missing: missing})
	default:
		add(feed.Change{Key: now[declared.Key], Old: full, New: now, Blind: blind, Missing: missing})
	}
	return nil
}

// links tells whether rows are found by a stored column, which must be known then.
func links(t *schema.Table, column int) bool {
	return slices.ContainsFunc(t.Links, func(link int) bool { return slices.Contains(stored(t, link), column) })
}

// row makes a declared row of what a message carries, and tells which columns it
// does not. of is the message of a row that is, and nil for one that was; keyOnly
// tells that only the replica identity is carried.
func (s *Source) row(p *plan, fields []field, of *message, keyOnly bool) (row schema.Row, missing []int) {
	declared := p.table.declared
	row = make(schema.Row, len(declared.Columns))
	for i, c := range p.columns {
		if declared.Columns[i].Derived() {
			continue
		}
		f := field{kind: fieldUnchanged}
		if place := p.places[i]; place >= 0 {
			f = fields[place]
			if f.kind == fieldUnchanged && of != nil {
				f = of.unchanged(p.relation, place)
			}
		}
		switch f.kind {
		case fieldUnchanged:
			missing = append(missing, i)
		case fieldText:
			row[i] = s.valueOf(c, f.text)
		case fieldNull:
		}
	}
	if missing == nil && !keyOnly {
		return declared.Complete(row), nil
	}
	completeTuples(declared, row, missing)
	return row, missing
}

// unchanged looks for a value that a change left as it was in the row as it was:
// the whole of it may be carried, or the key, whose other columns are NULL then.
func (m *message) unchanged(r *relation, place int) field {
	switch {
	case m.identity == identityFull, m.identity == identityKey && r.columns[place].key:
		return m.old[place]
	default:
		return field{kind: fieldUnchanged}
	}
}

// completeTuples fills the tuples of a row of which all parts are known: computed
// columns may need any other one.
func completeTuples(t *schema.Table, row schema.Row, missing []int) {
	for i := range t.Columns {
		parts := t.Columns[i].Parts
		if parts == nil {
			continue
		}
		values := make([]schema.Value, 0, len(parts))
		for _, part := range parts {
			if !row[part].IsNull() && !slices.Contains(missing, part) {
				values = append(values, row[part])
			}
		}
		if len(values) == len(parts) {
			row[i] = schema.TupleValue(values...)
		}
	}
}

// planOf finds or makes the plan of a relation.
func (s *Source) planOf(c *catalog, raw []byte, r *relation) (*plan, error) {
	s.plans.mu.Lock()
	defer s.plans.mu.Unlock()
	if s.plans.catalog != c || len(s.plans.known) >= plansKept {
		s.plans.catalog, s.plans.known = c, make(map[string]*plan)
	}
	if p := s.plans.known[string(raw)]; p != nil {
		return p, nil
	}
	p, err := makePlan(c, r)
	if err == nil {
		s.plans.known[string(raw)] = p
	}
	return p, err
}

func makePlan(c *catalog, r *relation) (*plan, error) {
	p := &plan{relation: r, table: c.byOID[r.id]}
	if p.table == nil {
		for _, t := range c.byOID {
			p.stale = p.stale || t.schema == r.namespace && t.name == r.name
		}
		return p, nil
	}
	key := stored(p.table.declared, p.table.declared.Key)
	for i, column := range p.table.columns {
		place := -1
		if column != nil {
			place = slices.IndexFunc(r.columns, func(o relationColumn) bool { return o.name == column.name })
			if place < 0 && slices.Contains(key, i) {
				return nil, fmt.Errorf("key column %q of table %q is not in the log: it was dropped or renamed", column.name, p.table.declared.Name)
			}
		}
		as := column.as(r, place)
		p.stale = p.stale || as != column || column != nil && place < 0
		p.columns, p.places = append(p.columns, as), append(p.places, place)
	}
	return p, nil
}

// as is the column as it was when a relation was described, where its type was
// another one.
func (c *column) as(r *relation, place int) *column {
	if place < 0 || r.columns[place].typ == c.declaredType {
		return c
	}
	other := *c
	other.declaredType, other.typ, other.modifier, other.array = r.columns[place].typ, r.columns[place].typ, r.columns[place].modifier, false
	if element, ok := arrays.TypeForOID(other.typ); ok {
		if codec, ok := element.Codec.(*pgtype.ArrayCodec); ok {
			other.array, other.element = true, codec.ElementType.OID
		}
	}
	return &other
}

// describeAgain reads the catalog anew.
func (s *Source) describeAgain() (*catalog, error) {
	ctx, cancel := context.WithTimeout(context.Background(), describePatience)
	defer cancel()
	s.mu.Lock()
	tables := s.tables
	s.mu.Unlock()
	c, err := s.describeAll(ctx, s.db, tables)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.catalog = c
	s.mu.Unlock()
	return c, nil
}
