package relay

import (
	"encoding/binary"
	"errors"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed"
)

// kind is what a record tells.
type kind uint8

const (
	// begun: an owner has begun a term, and goes on where the stream ended.
	begun kind = iota + 1
	// renewed: what was known before position is void; body is the reason. It may
	// begin a term, too.
	renewed
	// advanced: the log has come to position. As a heartbeat it repeats it.
	advanced
	// committed: body is a piece of a part of the commit at position.
	committed
)

// Every record begins with mark and version. Whoever reads a later version is of
// an older release.
const (
	mark    = 'P'
	version = 1
)

// The bounds of a record's fields. The rest of broker.MaxRecord is for the head.
const (
	maxBody  = broker.MaxRecord - 1024
	maxEpoch = 512
)

// Flags of a record.
const (
	flagMore   = 1 << iota // another part of the commit follows
	flagSplit              // another piece of the part follows
	flagPacked             // the part is compressed
)

var (
	// errNewer is a record of a later release.
	errNewer = errors.New("a later release of Pando writes the stream: let this node be of that release, too")
	// errForeign is a record that no release has written.
	errForeign = errors.New("the stream has records that are not Pando's: give it a name of its own")
)

// record is one record of the stream. Position and previous are a link of a
// chain: between the two there is no commit. A commit's records all have its
// position, and the end of the commit before it as the previous one.
//
//	mark version kind flags  one byte each
//	term life base position previous transaction visible from part piece first  as uvarints
//	epoch  its length as uvarint, and its bytes
//	body   the rest
type record struct {
	kind                kind
	more, split, packed bool
	term                uint64
	// epoch is the database's. What was known before base is void; life counts how
	// often that was told within the epoch.
	epoch string
	life  uint64
	base  feed.Position

	position, previous feed.Position
	transaction        uint64
	// visible is the position up to which every commit is visible to reads, and
	// from the number of a record from which on all commits after it are.
	visible feed.Position
	from    uint64
	// part counts the parts of a commit from 0, piece the pieces of a part; first is
	// the number of the first record of the commit that is under way, 0 for none.
	part, piece, first uint64
	body               []byte
}

// unfinished tells that the record's commit goes on with the next.
func (r *record) unfinished() bool { return r.kind == committed && (r.more || r.split) }

// end is the position that the stream has told wholly with the record.
func (r *record) end() feed.Position {
	if r.unfinished() {
		return r.previous
	}
	return r.position
}

// encode returns the record's bytes.
func (r *record) encode() []byte {
	b := make([]byte, 0, 64+len(r.epoch)+len(r.body))
	var flags byte
	if r.more {
		flags |= flagMore
	}
	if r.split {
		flags |= flagSplit
	}
	if r.packed {
		flags |= flagPacked
	}
	b = append(b, mark, version, byte(r.kind), flags)
	for _, n := range [...]uint64{r.term, r.life, uint64(r.base), uint64(r.position), uint64(r.previous), r.transaction, uint64(r.visible), r.from, r.part, r.piece, r.first, uint64(len(r.epoch))} {
		b = binary.AppendUvarint(b, n)
	}
	b = append(b, r.epoch...)
	return append(b, r.body...)
}

// decode reads a record. Its body stands in b.
func decode(b []byte) (*record, error) {
	if len(b) < 4 || b[0] != mark || b[1] == 0 {
		return nil, errForeign
	}
	if b[1] > version {
		return nil, errNewer
	}
	flags := b[3]
	r := &record{kind: kind(b[2]), more: flags&flagMore != 0, split: flags&flagSplit != 0, packed: flags&flagPacked != 0}
	if r.kind < begun || r.kind > committed || flags >= flagPacked<<1 || flags != 0 && r.kind != committed {
		return nil, errForeign
	}
	b = b[4:]
	var length uint64
	for _, field := range [...]*uint64{&r.term, &r.life, (*uint64)(&r.base), (*uint64)(&r.position), (*uint64)(&r.previous), &r.transaction, (*uint64)(&r.visible), &r.from, &r.part, &r.piece, &r.first, &length} {
		value, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errForeign
		}
		*field, b = value, b[n:]
	}
	if length > maxEpoch || length > uint64(len(b)) {
		return nil, errForeign
	}
	r.epoch, r.body = string(b[:length]), b[length:]
	if r.previous > r.position || (r.kind == begun || r.kind == advanced) && len(r.body) > 0 {
		return nil, errForeign
	}
	return r, nil
}
