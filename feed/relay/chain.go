package relay

import (
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/pando-sync/pando/feed"
)

// teller is told what the records of a stream amount to; a feed.Sink is one.
type teller interface {
	Commit(c *feed.Commit)
	Advance(p feed.Position)
}

// errBroken ends a chain: records are missing, or do not fit to what was told.
var errBroken = errors.New("the stream is broken")

// chain follows the links of the records of one life of an epoch, and tells
// commits as a Sink gets them. Records that come again are told once.
type chain struct {
	decode func(feed.Part) (*feed.Commit, error)
	to     teller
	epoch  string
	life   uint64
	// term is that of the newest record, position the end of what was told wholly.
	term     uint64
	position feed.Position
	// open is the commit under way.
	open open
}

// open is a commit of which not all parts have come.
type open struct {
	position feed.Position // 0 for none
	// parts have come, and sum is made of their data.
	parts uint64
	sum   uint64
	// again counts the parts that an owner has sent again after another's term, with
	// their sum; it equals parts where none need come again.
	again    uint64
	againSum uint64
	// pieces are those of a part under way, of which so many have come.
	pieces []byte
	count  uint64
	// held is what the last part with changes said: a commit's last part has some.
	held *feed.Commit
	told bool
}

var sumSeed = maphash.MakeSeed()

// take takes the next record. An error that is errBroken means that the stream
// has to be followed anew; another one is the source's, which cannot decode.
func (c *chain) take(r *record) error {
	if r.epoch != c.epoch || r.life != c.life {
		if r.kind == renewed {
			return fmt.Errorf("%w: %s", errBroken, r.body)
		}
		return fmt.Errorf("%w: it began anew", errBroken)
	}
	switch {
	case r.term < c.term:
		return fmt.Errorf("%w: term %d comes after term %d", errBroken, r.term, c.term)
	case r.term > c.term:
		c.term = r.term
		c.interrupt()
	}
	switch {
	case r.position <= c.position:
		return nil // told already, or a heartbeat
	case r.previous > c.position:
		return fmt.Errorf("%w: what is between %d and %d is missing", errBroken, c.position, r.previous)
	case r.kind == committed && (c.open.position == 0 || c.open.position == r.position):
		return c.piece(r)
	case r.kind == committed || c.open.position != 0 && r.position >= c.open.position:
		return fmt.Errorf("%w: the commit at %d has no end", errBroken, c.open.position)
	}
	c.position = r.position
	if c.open.position == 0 {
		c.to.Advance(r.position) // else it stands before a commit that comes again
	}
	return nil
}

// interrupt notes that another owner goes on: the commit under way comes again
// from its beginning.
func (c *chain) interrupt() {
	if !c.open.told {
		c.open = open{}
		return
	}
	c.open.again, c.open.againSum, c.open.pieces, c.open.count = 0, 0, nil, 0
}

// piece takes a piece of a part.
func (c *chain) piece(r *record) error {
	o := &c.open
	if r.part != o.again || r.piece != o.count {
		return fmt.Errorf("%w: the commit at %d goes on with part %d.%d, not %d.%d", errBroken, r.position, r.part, r.piece, o.again, o.count)
	}
	if len(o.pieces)+len(r.body) > maxPart {
		return fmt.Errorf("%w: a part of the commit at %d has no end", errBroken, r.position)
	}
	o.position = r.position
	data := r.body
	if r.split || r.piece > 0 {
		o.pieces = append(o.pieces, r.body...)
		data = o.pieces
	}
	if o.count++; r.split {
		return nil
	}
	o.pieces, o.count = nil, 0
	data, err := unpack(data, r.packed)
	if err != nil {
		return fmt.Errorf("%w: %w", errBroken, err)
	}
	return c.part(feed.Part{Position: r.position, Transaction: r.transaction, More: r.more, Data: data})
}

// part takes a part, unless it has come before. Then it must be the same, or
// nobody knows what was told.
func (c *chain) part(p feed.Part) error {
	o := &c.open
	o.again++
	o.againSum = maphash.Comparable(sumSeed, [2]uint64{o.againSum, maphash.Bytes(sumSeed, p.Data)})
	if o.again <= o.parts {
		if o.again == o.parts && o.againSum != o.sum || !p.More {
			return fmt.Errorf("%w: the commit at %d came again and was cut otherwise", errBroken, p.Position)
		}
		return nil
	}
	o.parts, o.sum = o.again, o.againSum
	commit, err := c.decode(p)
	switch {
	case errors.Is(err, feed.ErrUntold):
		return fmt.Errorf("%w: %w", errBroken, err)
	case err != nil:
		return fmt.Errorf("decode the commit at %d: %w", p.Position, err)
	}
	if commit != nil && len(commit.Changes) > 0 {
		c.flush()
		commit.Position, commit.Transaction, commit.More = p.Position, p.Transaction, p.More
		o.held = commit
	}
	if !p.More {
		c.finish(p.Position)
	}
	return nil
}

// flush tells the part that was held, after which another comes.
func (c *chain) flush() {
	if c.open.held != nil {
		c.open.held.More = true
		c.to.Commit(c.open.held)
		c.open.held, c.open.told = nil, true
	}
}

// finish tells the end of the commit, which may have no changes for this node.
func (c *chain) finish(p feed.Position) {
	held := c.open.held
	c.position, c.open = p, open{}
	if held == nil {
		c.to.Advance(p)
		return
	}
	held.More = false
	c.to.Commit(held)
}
