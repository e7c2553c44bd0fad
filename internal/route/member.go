package route

// member is one layer of one part of a scope, and how many links lead there.
type member struct {
	scope *Scope
	node  *node
	count int32
	// next is the place in the set of another member of the same scope, below 0
	// at the last of them; only sets with an index know it.
	next int32
	// version is of the last patch of the part that told of the row.
	version uint64
}

// memberSet is a small list that gains an index when it grows: most rows are
// in one scope, an author of many boards is in thousands.
//
// A set must not be copied: its list may begin in the set itself, so that the
// only member of a row is found where the row is.
type memberSet struct {
	list []member
	// index is where the members of a scope begin, of which there are as many as
	// the scope has layers for the row at most.
	index map[*Scope]int32
	only  [1]member
}

const indexAbove = 12

func (m *memberSet) len() int { return len(m.list) }

func (m *memberSet) find(s *Scope, n *node) int {
	if m.index != nil {
		return m.findBy(s, n)
	}
	for i := range m.list {
		if m.list[i].scope == s && m.list[i].node == n {
			return i
		}
	}
	return -1
}

func (m *memberSet) findBy(s *Scope, n *node) int {
	i, ok := m.index[s]
	if !ok {
		return -1
	}
	for i >= 0 && m.list[i].node != n {
		i = m.list[i].next
	}
	return int(i)
}

// get returns the member, or nil; the pointer holds until the set changes.
func (m *memberSet) get(s *Scope, n *node) *member {
	if i := m.find(s, n); i >= 0 {
		return &m.list[i]
	}
	return nil
}

// add puts a member in that is not there.
func (m *memberSet) add(s *Scope, n *node) {
	if m.list == nil {
		m.list = m.only[:0]
	}
	m.list = append(m.list, member{scope: s, node: n, count: 1})
	if m.index != nil {
		m.chain(len(m.list) - 1)
	} else if len(m.list) > indexAbove {
		m.index = make(map[*Scope]int32, 2*indexAbove)
		for i := range m.list {
			m.chain(i)
		}
	}
}

// chain makes a member the first of its scope.
func (m *memberSet) chain(i int) {
	next, ok := m.index[m.list[i].scope]
	if !ok {
		next = -1
	}
	m.list[i].next = next
	m.index[m.list[i].scope] = int32(i)
}

// remove takes a member out, whatever its count.
func (m *memberSet) remove(s *Scope, n *node) {
	i, last := m.find(s, n), len(m.list)-1
	if m.index != nil {
		m.lead(s, i, m.list[i].next)
		if i != last {
			m.lead(m.list[last].scope, last, int32(i))
		}
	}
	m.list[i] = m.list[last]
	m.list[last] = member{}
	m.list = m.list[:last]
}

// lead makes what leads to one member of a scope lead to another, or nowhere.
func (m *memberSet) lead(s *Scope, from int, to int32) {
	at := m.index[s]
	switch {
	case at != int32(from):
		for m.list[at].next != int32(from) {
			at = m.list[at].next
		}
		m.list[at].next = to
	case to < 0:
		delete(m.index, s)
	default:
		m.index[s] = to
	}
}
