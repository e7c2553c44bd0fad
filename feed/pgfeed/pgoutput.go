package pgfeed

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// message is one message of the output plugin pgoutput, version 2 of its
// protocol without transactions in progress. Its texts are parts of the bytes
// that it was parsed from.
type message struct {
	kind messageKind
	// lsn is where the commit record of a begin and a commit is, and where a
	// logical message ends.
	lsn uint64
	// end is where the commit ends.
	end uint64
	xid uint32
	// relation is the table of a row's change, and described what a relation
	// message tells of it.
	relation  uint32
	described *relation
	// truncated are the tables that were emptied.
	truncated []uint32
	// identity tells what old is: nothing, the key or the whole row.
	identity identityKind
	old, new []field
	// prefix is that of a logical message.
	prefix []byte
}

// messageKind is the first byte of a message.
type messageKind byte

const (
	beginMessage    messageKind = 'B'
	commitMessage   messageKind = 'C'
	relationMessage messageKind = 'R'
	typeMessage     messageKind = 'Y'
	originMessage   messageKind = 'O'
	insertMessage   messageKind = 'I'
	updateMessage   messageKind = 'U'
	deleteMessage   messageKind = 'D'
	truncateMessage messageKind = 'T'
	logicalMessage  messageKind = 'M'
)

// identityKind tells what is carried of a row as it was.
type identityKind byte

const (
	identityNone identityKind = 0
	identityKey  identityKind = 'K'
	identityFull identityKind = 'O'
)

// relation is a table as the stream describes it before its first row.
type relation struct {
	id              uint32
	namespace, name string
	columns         []relationColumn
}

// relationColumn is one published column of a table.
type relationColumn struct {
	name string
	// key tells that the column is of the replica identity.
	key      bool
	typ      uint32
	modifier int32
}

// field is one column of a row in a message.
type field struct {
	kind fieldKind
	text []byte
}

// fieldKind tells how a column is carried.
type fieldKind byte

const (
	fieldNull      fieldKind = 'n'
	fieldUnchanged fieldKind = 'u' // a large value that the change left as it was
	fieldText      fieldKind = 't'
)

// errGarbage is told of bytes that are no message.
var errGarbage = errors.New("the replication stream has a message that pgoutput does not write; is another output plugin or a newer protocol in use?")

// parseMessage reads one message. The slices of m are used again.
func parseMessage(b []byte, m *message) error {
	*m = message{old: m.old[:0], new: m.new[:0], truncated: m.truncated[:0]}
	r := reader{bytes: b}
	m.kind = messageKind(r.byte())
	switch m.kind {
	case beginMessage:
		m.lsn = r.uint64()
		r.uint64() // the time of the commit
		m.xid = r.uint32()
	case commitMessage:
		r.byte() // flags, of which none is in use
		m.lsn, m.end = r.uint64(), r.uint64()
		r.uint64() // the time again
	case relationMessage:
		m.described = r.relation()
	case insertMessage, updateMessage, deleteMessage:
		r.change(m)
	case truncateMessage:
		n := r.uint32()
		r.byte() // whether it cascades and restarts identities
		for range n {
			if r.failed {
				break
			}
			m.truncated = append(m.truncated, r.uint32())
		}
	case logicalMessage:
		r.byte() // whether it is of a transaction
		m.lsn = r.uint64()
		m.prefix = r.text()
		r.bytesOf(r.uint32())
	case typeMessage, originMessage:
		return nil // names of types, and where a commit came from: all is in the rows
	default:
		return fmt.Errorf("message %q: %w", byte(m.kind), errGarbage)
	}
	if r.failed || len(r.bytes) > 0 {
		return fmt.Errorf("message %q: %w", byte(m.kind), errGarbage)
	}
	return nil
}

// reader reads the parts of a message. Past its end it reads zeros and has
// failed.
type reader struct {
	bytes  []byte
	failed bool
}

func (r *reader) bytesOf(n uint32) []byte {
	if uint64(n) > uint64(len(r.bytes)) {
		r.failed, r.bytes = true, nil
		return nil
	}
	b := r.bytes[:n:n]
	r.bytes = r.bytes[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.bytesOf(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uint16() uint16 {
	if b := r.bytesOf(2); b != nil {
		return binary.BigEndian.Uint16(b)
	}
	return 0
}

func (r *reader) uint32() uint32 {
	if b := r.bytesOf(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (r *reader) uint64() uint64 {
	if b := r.bytesOf(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

// text reads up to a zero byte.
func (r *reader) text() []byte {
	for i, c := range r.bytes {
		if c == 0 {
			b := r.bytes[:i:i]
			r.bytes = r.bytes[i+1:]
			return b
		}
	}
	r.failed, r.bytes = true, nil
	return nil
}

func (r *reader) relation() *relation {
	described := &relation{id: r.uint32(), namespace: string(r.text()), name: string(r.text())}
	r.byte() // the identity's setting: its columns are marked
	for range r.uint16() {
		if r.failed {
			break
		}
		described.columns = append(described.columns, relationColumn{
			key: r.byte()&1 != 0, name: string(r.text()), typ: r.uint32(), modifier: int32(r.uint32()),
		})
	}
	return described
}

// change reads a row's change: what it was, where that is carried, and what it
// is.
func (r *reader) change(m *message) {
	m.relation = r.uint32()
	tag := r.byte()
	if m.kind != insertMessage && (tag == byte(identityKey) || tag == byte(identityFull)) {
		m.identity = identityKind(tag)
		m.old = r.row(m.old)
		if m.kind == deleteMessage {
			return
		}
		tag = r.byte()
	}
	if m.kind == deleteMessage || tag != 'N' {
		r.failed = true
		return
	}
	m.new = r.row(m.new)
}

func (r *reader) row(fields []field) []field {
	for range r.uint16() {
		if r.failed {
			break
		}
		f := field{kind: fieldKind(r.byte())}
		switch f.kind {
		case fieldNull, fieldUnchanged:
		case fieldText:
			f.text = r.bytesOf(r.uint32())
		default: // values in binary were not asked for
			r.failed = true
		}
		fields = append(fields, f)
	}
	return fields
}
