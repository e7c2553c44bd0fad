package wire

import "github.com/pando-sync/pando/schema"

// recentRows is the number of rows whose encoding is remembered: a commit that
// concerns many scopes mostly changes few rows.
const recentRows = 8

// saying is how a row, or what changed in one, was encoded: a piece of a frame.
// Rows never change, so that their places in memory tell them.
type saying struct {
	typ      *schema.Type
	old, row *schema.Value
	from, to int
	text     []byte // nil until the frame is finished
}

// Turn begins a turn: what was said before is forgotten. Patches of one turn
// that say the same of a row share the encoding.
func (e *Encoder) Turn() {
	clear(e.recent[:e.known])
	e.known = 0
}

// said appends what was said of a row before, and tells whether there was such.
func (e *Encoder) said(what saying) bool {
	for i := range e.recent[:e.known] {
		s := &e.recent[i]
		if s.row == what.row && s.old == what.old && s.typ == what.typ && s.text != nil {
			e.buf = append(e.buf, s.text...)
			return true
		}
	}
	return false
}

// note remembers what was encoded in the frame behind from.
func (e *Encoder) note(what saying, from int) {
	if e.known < recentRows {
		what.from, what.to = from, len(e.buf)
		e.recent[e.known] = what
		e.known++
	}
}

// keep gives what was noted its text, when the frame that holds it is made.
func (e *Encoder) keep(frame []byte) {
	for i := e.known - 1; i >= 0 && e.recent[i].text == nil; i-- {
		s := &e.recent[i]
		s.text = frame[s.from:s.to]
	}
}
