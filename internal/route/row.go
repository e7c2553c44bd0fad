package route

import "github.com/pando-sync/pando/schema"

// row is one row of one table, shared by every scope that shows it.
type row struct {
	table *table
	key   schema.Value
	// vals is nil while the row is not known, and when it does not exist.
	vals  schema.Row
	known bool
	asked bool
	// at is the row's index in its bucket, per link column of the table.
	at []int32
	// members says where the row is linked, existing or not.
	members memberSet
	orphan  bool
}

// visible tells whether the scope shows the row as type t.
func (r *row) visible(s *Scope, t *schema.Type) bool {
	if r.vals == nil {
		return false
	}
	for _, l := range s.layersOf(t) {
		if r.members.get(s, l) != nil {
			return true
		}
	}
	return false
}

// bucket is the rows of one table with one value in one link column.
type bucket struct {
	link  *link
	value schema.Value
	rows  []*row
	// bound says which layers of which scopes show the bucket's rows.
	bound memberSet
	// complete tells that every such row of the database is in rows. It holds
	// only while bound is not empty: rows that nobody shows are forgotten.
	complete bool
	asked    bool
	// layer is the one that asked first; reads descend from it.
	layer *schema.Layer
}

func (b *bucket) add(r *row) {
	r.at[b.link.index] = int32(len(b.rows))
	b.rows = append(b.rows, r)
}

func (b *bucket) remove(r *row) {
	i, last := r.at[b.link.index], len(b.rows)-1
	b.rows[i] = b.rows[last]
	b.rows[i].at[b.link.index] = i
	b.rows[last] = nil
	b.rows = b.rows[:last]
	r.at[b.link.index] = -1
}

// link is a column by which has-many layers find rows.
type link struct {
	table   *table
	index   int // in table.links
	column  int // in schema.Table.Columns
	buckets map[schema.Value]*bucket
}

// bucket returns the bucket of a value, made when it is missing.
func (l *link) bucket(v schema.Value) *bucket {
	b := l.buckets[v]
	if b == nil {
		b = &bucket{link: l, value: v}
		l.buckets[v] = b
	}
	return b
}

// release forgets a bucket that holds nothing and is shown by nobody.
func (l *link) release(b *bucket) {
	if len(b.rows) == 0 && b.bound.len() == 0 {
		delete(l.buckets, b.value)
	}
}

type table struct {
	def   *schema.Table
	rows  map[schema.Value]*row
	links []*link
}

// row returns the row of a key, made as unknown when it is not in memory.
func (t *table) row(key schema.Value) *row {
	r := t.rows[key]
	if r == nil {
		r = &row{table: t, key: key, at: make([]int32, len(t.links))}
		for i := range r.at {
			r.at[i] = -1
		}
		t.rows[key] = r
	}
	return r
}

// member is one layer of one scope, and how many links lead there.
type member struct {
	scope *Scope
	layer *schema.Layer
	count int32
	// version is of the last patch of the scope that told of the row.
	version uint64
}

type memberKey struct {
	scope *Scope
	layer *schema.Layer
}

// memberSet is a small list that gains an index when it grows: most rows are
// in one scope, an author of many boards is in thousands.
type memberSet struct {
	list  []member
	index map[memberKey]int32
}

const indexAbove = 12

func (m *memberSet) len() int { return len(m.list) }

func (m *memberSet) find(s *Scope, l *schema.Layer) int {
	if m.index != nil {
		if i, ok := m.index[memberKey{s, l}]; ok {
			return int(i)
		}
		return -1
	}
	for i := range m.list {
		if m.list[i].scope == s && m.list[i].layer == l {
			return i
		}
	}
	return -1
}

// get returns the member, or nil; the pointer holds until the set changes.
func (m *memberSet) get(s *Scope, l *schema.Layer) *member {
	if i := m.find(s, l); i >= 0 {
		return &m.list[i]
	}
	return nil
}

// add counts one more link and tells whether it is the first.
func (m *memberSet) add(s *Scope, l *schema.Layer) bool {
	if p := m.get(s, l); p != nil {
		p.count++
		return false
	}
	m.list = append(m.list, member{scope: s, layer: l, count: 1})
	if m.index != nil {
		m.index[memberKey{s, l}] = int32(len(m.list) - 1)
	} else if len(m.list) > indexAbove {
		m.index = make(map[memberKey]int32, 2*indexAbove)
		for i := range m.list {
			m.index[memberKey{m.list[i].scope, m.list[i].layer}] = int32(i)
		}
	}
	return true
}

// remove takes a member out, whatever its count.
func (m *memberSet) remove(s *Scope, l *schema.Layer) {
	i, last := m.find(s, l), len(m.list)-1
	if m.index != nil {
		delete(m.index, memberKey{s, l})
		if i != last {
			m.index[memberKey{m.list[last].scope, m.list[last].layer}] = int32(i)
		}
	}
	m.list[i] = m.list[last]
	m.list[last] = member{}
	m.list = m.list[:last]
}
