package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// relation is what the log tells of a table.
type relation struct {
	name    string
	columns []string
}

// reader reads pgoutput's numbers and texts; err is set at what is cut short.
type reader struct {
	b   []byte
	err error
}

func (m *reader) take(n int) []byte {
	if n < 0 || len(m.b) < n {
		m.err = errors.New("replica: a message is cut short")
		return make([]byte, max(n, 0))
	}
	taken := m.b[:n]
	m.b = m.b[n:]
	return taken
}

func (m *reader) byte() byte     { return m.take(1)[0] }
func (m *reader) uint16() uint16 { return binary.BigEndian.Uint16(m.take(2)) }
func (m *reader) uint32() uint32 { return binary.BigEndian.Uint32(m.take(4)) }
func (m *reader) uint64() uint64 { return binary.BigEndian.Uint64(m.take(8)) }

func (m *reader) text() string {
	n := slices.Index(m.b, 0)
	text := string(m.take(n))
	m.take(1)
	return text
}

// cell is a value of a row: its text, NULL, or what the log leaves out since it
// is as it was.
type cell struct {
	kind byte // 't', 'n' or 'u'
	text string
}

func (m *reader) cells() []cell {
	all := make([]cell, m.uint16())
	for i := range all {
		if all[i].kind = m.byte(); all[i].kind == 't' {
			all[i].text = string(m.take(int(m.uint32())))
		}
	}
	return all
}

// apply takes one message of the log.
func (r *Replica) apply(message []byte) error {
	m := &reader{b: message}
	kind := m.byte()
	var err error
	switch kind {
	case 'R':
		r.relation(m)
	case 'B':
		r.current, r.changed = &Commit{}, map[string]map[string]oracle.Row{}
		head := m.uint64()
		m.take(8)
		r.current.Transaction = m.uint32()
		r.current.Data = oracle.New(r.schema, maps.Clone(r.data.Tables), head)
	case 'C':
		m.take(9)
		r.commit(m.uint64())
	case 'I', 'U', 'D', 'T':
		if r.current.Data.Head > r.data.Head { // else it was told over a connection before
			err = r.change(kind, m)
		}
	default: // types, origins
		return nil
	}
	return errors.Join(m.err, err)
}

// change takes a change of rows.
func (r *Replica) change(kind byte, m *reader) error {
	switch kind {
	case 'I':
		at := r.relations[m.uint32()]
		m.take(1)
		return r.insert(at, m.cells())
	case 'U':
		return r.update(m)
	case 'D':
		at := r.relations[m.uint32()]
		m.take(1)
		return r.remove(at, m.cells())
	default:
		r.truncate(m)
		return nil
	}
}

func (r *Replica) relation(m *reader) {
	id := m.uint32()
	m.text() // the schema
	at := &relation{name: m.text()}
	m.take(1)
	for range m.uint16() {
		m.take(1)
		at.columns = append(at.columns, m.text())
		m.take(8)
	}
	r.relations[id] = at
}

// commit tells the transaction, unless that was told before.
func (r *Replica) commit(end uint64) {
	c := r.current
	r.current = nil
	if c.Data.Head > r.data.Head {
		for name, rows := range r.changed {
			c.Data.Tables[name] = slices.Collect(maps.Values(rows))
		}
		r.data = oracle.New(r.schema, c.Data.Tables, c.Data.Head)
		c.Data = r.data
		r.tell(*c)
	}
	r.move(func() {
		r.passed = max(r.passed, end)
		r.seen[c.Transaction] = true
	})
}

// rows are a table's by their keys, as the transaction leaves them.
func (r *Replica) rows(t *model.Table) map[string]oracle.Row {
	if rows := r.changed[t.Name]; rows != nil {
		return rows
	}
	rows := map[string]oracle.Row{}
	for _, row := range r.current.Data.Tables[t.Name] {
		rows[oracle.KeyText(t, row)] = row
	}
	r.changed[t.Name] = rows
	return rows
}

func (r *Replica) insert(at *relation, cells []cell) error {
	if at.name == Ledger {
		var entry []string
		for _, c := range cells {
			entry = append(entry, c.text)
		}
		r.current.Entered = append(r.current.Entered, entry)
		return nil
	}
	t := r.schema.Table(at.name)
	row, err := at.row(t, cells, nil)
	if err != nil {
		return err
	}
	r.rows(t)[oracle.KeyText(t, row)] = row
	return nil
}

func (r *Replica) update(m *reader) error {
	at := r.relations[m.uint32()]
	t := r.schema.Table(at.name)
	kind := m.byte()
	var before []cell
	if kind != 'N' {
		before = m.cells()
		m.take(1)
	}
	cells := m.cells()
	old := before
	if old == nil {
		old = cells
	}
	key, err := at.key(t, old)
	if err != nil {
		return err
	}
	was := r.rows(t)[key]
	if was == nil {
		return fmt.Errorf("replica: row %s of %s is changed and was not there", key, t.Name)
	}
	row, err := at.row(t, cells, was)
	if err != nil {
		return err
	}
	delete(r.rows(t), key)
	r.rows(t)[oracle.KeyText(t, row)] = row
	return nil
}

func (r *Replica) remove(at *relation, cells []cell) error {
	t := r.schema.Table(at.name)
	key, err := at.key(t, cells)
	if err != nil {
		return err
	}
	delete(r.rows(t), key)
	return nil
}

func (r *Replica) truncate(m *reader) {
	n := m.uint32()
	m.take(1)
	for range n {
		r.changed[r.relations[m.uint32()].name] = map[string]oracle.Row{}
	}
}

// row is a row of the cells; what they leave out is as in before.
func (at *relation) row(t *model.Table, cells []cell, before oracle.Row) (row oracle.Row, err error) {
	row = make(oracle.Row, len(t.Columns))
	for i, c := range t.Columns {
		k := slices.Index(at.columns, c.Name)
		if k < 0 || k >= len(cells) {
			return nil, fmt.Errorf("replica: table %s has no column %s any more", t.Name, c.Name)
		}
		switch cells[k].kind {
		case 't':
			if row[i], err = oracle.Value(c.Kind, cells[k].text); err != nil {
				return nil, fmt.Errorf("replica: %s.%s: %w", t.Name, c.Name, err)
			}
		case 'u':
			if before != nil {
				row[i] = before[i]
			}
		}
	}
	return row, nil
}

func (at *relation) key(t *model.Table, cells []cell) (string, error) {
	row, err := at.row(t, cells, nil)
	if err != nil {
		return "", err
	}
	return oracle.KeyText(t, row), nil
}
