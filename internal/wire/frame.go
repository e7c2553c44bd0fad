// Package wire is the protocol's bytes: state frames encoded once for all who
// receive them, and the messages of one connection. The authority is
// spec/protocol.md.
package wire

import (
	"encoding/binary"
	"slices"
	"strconv"

	"github.com/pando-sync/pando/schema"
	"github.com/pando-sync/pando/state"
)

// Frame is one encoded WebSocket text frame, header included. It is immutable
// and shared by every connection that it goes to.
type Frame struct {
	// Version is the version that the scope has after it, 0 for messages.
	Version uint64
	// Bytes go to the socket as they are.
	Bytes []byte
	// Next is the part of a snapshot that follows this one, nil behind the last:
	// no other frame of the scope comes between them.
	Next *Frame
}

// Size is the number of bytes of the frame with all parts that follow it.
func (f *Frame) Size() int {
	n := 0
	for ; f != nil; f = f.Next {
		n += len(f.Bytes)
	}
	return n
}

// headerRoom is the size of the largest header of a server's frame.
const headerRoom = 10

// opcode of an unfragmented text frame.
const textFrame = 0x81

// seal writes the WebSocket header in front of a payload for which b has
// headerRoom bytes free, and returns the frame.
func seal(b []byte) []byte {
	n := len(b) - headerRoom
	switch {
	case n < 126:
		b = b[headerRoom-2:]
		b[1] = byte(n)
	case n < 1<<16:
		b = b[headerRoom-4:]
		b[1] = 126
		binary.BigEndian.PutUint16(b[2:], uint16(n))
	default:
		b = b[headerRoom-10:]
		b[1] = 127
		binary.BigEndian.PutUint64(b[2:], uint64(n))
	}
	b[0] = textFrame
	return slices.Clip(b)
}

// Payload returns the message inside a frame made by this package.
func Payload(frame []byte) []byte {
	switch frame[1] {
	case 126:
		return frame[4:]
	case 127:
		return frame[10:]
	default:
		return frame[2:]
	}
}

// Encoder encodes state frames. It reuses its memory and is used by one
// goroutine at a time; the frames that it returns are independent of it.
type Encoder struct {
	// Misfit is told of values that the wire cannot carry as they are declared;
	// they are written all the same. It may be nil.
	Misfit func(t *schema.Type, f *schema.Field, err error)

	buf []byte
	// recent is what was said of the first rows of this turn.
	recent [recentRows]saying
	known  int
}

// start begins a state frame of a scope.
func (e *Encoder) start(scope string, version uint64) {
	e.buf = append(e.buf[:0], make([]byte, headerRoom)...)
	e.buf = append(e.buf, `{"stream":"`...)
	e.buf = append(e.buf, scope...)
	e.buf = append(e.buf, `","payload":{"v":`...)
	e.buf = strconv.AppendUint(e.buf, version, 10)
}

func (e *Encoder) finish(version uint64) *Frame {
	e.buf = append(e.buf, '}', '}')
	text := append([]byte(nil), e.buf...)
	e.keep(text)
	return &Frame{Version: version, Bytes: seal(text)}
}

// Patch encodes a patch.
func (e *Encoder) Patch(scope string, p *state.Patch) *Frame {
	e.start(scope, p.N)
	if len(p.Set) > 0 {
		e.set(p.Set)
	}
	if len(p.Update) > 0 {
		e.update(p.Update)
	}
	if len(p.Delete) > 0 {
		e.remove(p.Delete)
	}
	return e.finish(p.N)
}

// partSize is about the bytes of one part of a snapshot: large enough that a
// part costs nothing, small enough that the first one paints at once.
const partSize = 128 << 10

// Snapshot encodes a scope's whole state, in parts when it is large, and
// returns the first. Rows keep their order.
func (e *Encoder) Snapshot(scope string, p *state.Patch) *Frame {
	var first, last *Frame
	rest := p.Set
	for {
		e.start(scope, p.N)
		at := len(e.buf)
		e.buf = append(e.buf, `,"snapshot":"first"`...)
		n := e.part(rest)
		rest = rest[n:]
		word := "first"
		switch {
		case len(rest) == 0 && first == nil:
			word = "only"
		case len(rest) == 0:
			word = "last"
		case first != nil:
			word = "more"
		}
		// All words but "first" are one letter shorter: a space keeps place.
		copy(e.buf[at:], `,"snapshot":`+quoteWide(word))
		f := e.finish(p.N)
		if first == nil {
			first = f
		} else {
			last.Next = f
		}
		if last = f; len(rest) == 0 {
			return first
		}
	}
}

func quoteWide(word string) string {
	q := `"` + word + `"`
	for len(q) < len(`"first"`) {
		q += " "
	}
	return q
}

// part appends rows until the frame is full and returns their number.
func (e *Encoder) part(rows []state.Instance) int {
	e.buf = append(e.buf, `,"set":[`...)
	n := 0
	for ; n < len(rows) && len(e.buf) < partSize; n++ {
		if n > 0 {
			e.buf = append(e.buf, ',')
		}
		e.instance(&rows[n])
	}
	e.buf = append(e.buf, ']')
	return n
}

func (e *Encoder) set(rows []state.Instance) {
	e.buf = append(e.buf, `,"set":[`...)
	for i := range rows {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		in := &rows[i]
		if s := (saying{typ: in.Type, row: &in.Row[0]}); !e.said(s) {
			from := len(e.buf)
			e.instance(in)
			e.note(s, from)
		}
	}
	e.buf = append(e.buf, ']')
}

func (e *Encoder) instance(in *state.Instance) {
	e.buf = append(e.buf, '[')
	e.buf = strconv.AppendInt(e.buf, int64(in.Type.ID), 10)
	e.buf = append(e.buf, ',', '[')
	for i := range in.Type.Fields {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.value(in.Type, i, in.Row)
	}
	e.buf = append(e.buf, ']', ']')
}

func (e *Encoder) value(t *schema.Type, field int, row schema.Row) {
	f := &t.Fields[field]
	v := row[f.Column]
	if err := f.Check(v); err != nil && e.Misfit != nil {
		e.Misfit(t, f, err)
	}
	e.buf = f.AppendJSON(e.buf, v)
}

func (e *Encoder) update(rows []state.Update) {
	e.buf = append(e.buf, `,"upd":[`...)
	for i := range rows {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		u := &rows[i]
		if s := (saying{typ: u.Type, old: &u.Old[0], row: &u.New[0]}); !e.said(s) {
			from := len(e.buf)
			e.changed(u)
			e.note(s, from)
		}
	}
	e.buf = append(e.buf, ']')
}

func (e *Encoder) changed(u *state.Update) {
	e.ref(&u.Ref)
	for j := range u.Type.Fields {
		f := &u.Type.Fields[j]
		if u.Old[f.Column] == u.New[f.Column] {
			continue
		}
		e.buf = append(e.buf, ',')
		e.buf = strconv.AppendInt(e.buf, int64(j), 10)
		e.buf = append(e.buf, ',')
		e.value(u.Type, j, u.New)
	}
	e.buf = append(e.buf, ']')
}

func (e *Encoder) remove(refs []state.Ref) {
	e.buf = append(e.buf, `,"del":[`...)
	for i := range refs {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.ref(&refs[i])
		e.buf = append(e.buf, ']')
	}
	e.buf = append(e.buf, ']')
}

// ref begins an array with type and key, and leaves it open.
func (e *Encoder) ref(r *state.Ref) {
	e.buf = append(e.buf, '[')
	e.buf = strconv.AppendInt(e.buf, int64(r.Type.ID), 10)
	e.buf = append(e.buf, ',')
	e.buf = r.Type.Fields[r.Type.Key].AppendJSON(e.buf, r.Key)
}
