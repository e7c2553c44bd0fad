package pgfeed

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/pando-sync/pando/feed"
)

// The bounds of a part of a commit. One row may exceed them.
const (
	partRows  = 4096
	partBytes = 512 << 10
)

// dataVersion begins the data of a part, so that a release that writes it
// otherwise can be told.
const dataVersion = 1

// slotLog is the change log as a replication slot gives it. Next has one caller;
// the other methods have any.
type slotLog struct {
	stream *stream
	start  feed.Position
	term   uint64
	// silent is told, by Next, when the server says nothing for a while, and when it
	// does again.
	silent func(bool)
	quiet  atomic.Bool
	// resetting is told, by Next, before a part that tells that all is to be read
	// again.
	resetting func(context.Context) error
	// lost is told why the log cannot be read any more.
	lost func(error)

	// last is the position that was told last, passed the one that the log has
	// come to.
	last, passed feed.Position
	relations    map[uint32]*knownRelation
	message      message
	tx           transaction
	restarts
}

// restarts takes from anyone why all is to be read again.
type restarts struct {
	mu     sync.Mutex // guards what follows
	reason string
	// told is where the last reason was told, acked up to where the log was
	// acknowledged.
	told, acked feed.Position
}

// knownRelation is a table as the stream has described it.
type knownRelation struct {
	relation *relation
	raw      []byte
}

// transaction is the one that is being read.
type transaction struct {
	open     bool
	position feed.Position
	xid      uint32
	// reset is why nothing is as it was before this transaction.
	reset string
	// data is the part so far, rows are counted of it, and described has the
	// tables that are described in it.
	data      []byte
	rows      int
	described map[uint32]bool
}

var _ feed.Log = (*slotLog)(nil)

func newSlotLog(s *stream, start feed.Position) *slotLog {
	return &slotLog{stream: s, start: start, last: start, passed: start, silent: func(bool) {}, lost: func(error) {},
		resetting: func(context.Context) error { return nil },
		relations: make(map[uint32]*knownRelation), tx: transaction{described: make(map[uint32]bool)}}
}

// Term implements feed.Log.
func (l *slotLog) Term() uint64 { return l.term }

// Start implements feed.Log.
func (l *slotLog) Start() feed.Position { return l.start }

// Quiet implements feed.Log.
func (l *slotLog) Quiet() bool { return l.quiet.Load() }

// Ack implements feed.Log. The place after a commit's own is where the next may
// be.
func (l *slotLog) Ack(p feed.Position) error {
	l.stream.confirm(uint64(p) + 1)
	l.acknowledged(p)
	return nil
}

// startAnew has the feed tell that what is known is void.
func (r *restarts) startAnew(reason string) {
	r.mu.Lock()
	r.reason = reason
	r.mu.Unlock()
}

// takeReset returns why all is to be read again, "" when it need not. It is told at
// a position.
func (r *restarts) takeReset(at feed.Position) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	reason := r.reason
	if r.reason = ""; reason != "" {
		r.told = at
	}
	return reason
}

func (r *restarts) acknowledged(p feed.Position) {
	r.mu.Lock()
	r.acked = max(r.acked, p)
	r.mu.Unlock()
}

// settled tells whether all reasons were told and are known to be stored: what
// stands at the same position may have been acknowledged before.
func (r *restarts) settled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.reason == "" && (r.told == 0 || r.acked > r.told)
}

// Next implements feed.Log.
func (l *slotLog) Next(ctx context.Context) (part feed.Part, err error) {
	for ok := false; !ok; {
		if part, ok = l.between(); ok {
			break
		}
		if part, ok, err = l.read(ctx); err != nil {
			return feed.Part{}, err
		}
	}
	if part.Reset != "" {
		err = l.resetting(ctx)
	}
	return part, err
}

// read takes in what the server says next, and returns the part that is complete
// with it.
func (l *slotLog) read(ctx context.Context) (part feed.Part, ok bool, err error) {
	r, err := l.stream.receive(ctx)
	switch {
	case errors.Is(err, errSilent):
		l.setQuiet(true)
		return part, false, nil
	case err != nil && ctx.Err() != nil:
		return part, false, ctx.Err()
	case err != nil:
		err = fmt.Errorf("%w: %w", feed.ErrLogLost, err)
		l.lost(err)
		return part, false, err
	}
	l.setQuiet(false)
	if r.data != nil {
		return l.take(r.data)
	}
	if !l.tx.open {
		l.pass(r.end)
	}
	return part, false, nil
}

func (l *slotLog) setQuiet(quiet bool) {
	if l.quiet.Swap(quiet) != quiet {
		l.silent(quiet)
	}
}

// between returns what stands between commits: that all is void, or, when
// nothing else has come, how far the log has.
func (l *slotLog) between() (feed.Part, bool) {
	if l.tx.open {
		return feed.Part{}, false
	}
	if reason := l.takeReset(max(l.last, l.passed)); reason != "" {
		l.last = max(l.last, l.passed)
		return feed.Part{Position: l.last, Reset: reason}, true
	}
	if l.passed > l.last && !l.stream.waiting() {
		l.last = l.passed
		return feed.Part{Position: l.last}, true
	}
	return feed.Part{}, false
}

// pass notes that the log has been read up to an end, where the next commit may
// be: the position before it has been passed.
func (l *slotLog) pass(end uint64) {
	if end > 0 {
		l.passed = max(l.passed, feed.Position(end-1))
	}
}

// take takes in one message, and returns the part that it completes.
func (l *slotLog) take(data []byte) (part feed.Part, ok bool, err error) {
	m := &l.message
	if err := parseMessage(data, m); err != nil {
		return feed.Part{}, false, err
	}
	switch m.kind {
	case beginMessage:
		l.begin(m)
	case relationMessage:
		l.describe(m.described, data)
	case insertMessage, updateMessage, deleteMessage:
		return l.row(data)
	case truncateMessage:
		l.truncate(m.truncated)
	case logicalMessage:
		if !l.tx.open {
			l.pass(m.lsn)
		}
	case commitMessage:
		return l.commit(m)
	case typeMessage, originMessage:
	}
	return feed.Part{}, false, nil
}

func (l *slotLog) begin(m *message) {
	l.tx.open, l.tx.position, l.tx.xid, l.tx.reset = true, feed.Position(m.lsn), m.xid, ""
	l.emptyPart()
}

func (l *slotLog) emptyPart() {
	l.tx.data = append(l.tx.data[:0], dataVersion)
	l.tx.rows = 0
	clear(l.tx.described)
}

// describe notes how a table is described, and that nothing is as it was when
// columns that were there are not any more, or are others.
func (l *slotLog) describe(r *relation, raw []byte) {
	before := l.relations[r.id]
	l.relations[r.id] = &knownRelation{r, slices.Clone(raw)}
	delete(l.tx.described, r.id)
	if before == nil || before.relation.keptBy(r) {
		return
	}
	l.tx.reset = fmt.Sprintf("columns of the table %s were changed", r.title())
}

// keptBy tells whether a later description has all columns as they were. Which of
// them identify a row is another matter.
func (r *relation) keptBy(later *relation) bool {
	for _, c := range r.columns {
		same := func(o relationColumn) bool { return o.name == c.name && o.typ == c.typ && o.modifier == c.modifier }
		if !slices.ContainsFunc(later.columns, same) {
			return false
		}
	}
	return true
}

func (r *relation) title() string {
	if r.namespace == "public" {
		return r.name
	}
	return r.namespace + "." + r.name
}

func (l *slotLog) truncate(ids []uint32) {
	var titles []string
	for _, id := range ids {
		if known := l.relations[id]; known != nil {
			titles = append(titles, known.relation.title())
		}
	}
	l.tx.reset = strings.Join(titles, ", ") + ": emptied by TRUNCATE"
}

// row adds a change of a row to the part, and returns the part before it when
// that is full.
func (l *slotLog) row(data []byte) (part feed.Part, full bool, err error) {
	switch known := l.relations[l.message.relation]; {
	case !l.tx.open || known == nil:
		return part, false, fmt.Errorf("a change of an unknown table: %w", errGarbage)
	case l.tx.reset != "":
		return part, false, nil
	case l.tx.rows == partRows || l.tx.rows > 0 && len(l.tx.data)+len(data) > partBytes:
		part, full = l.part(), true
		part.More = true
		// What was returned is used until the next call, so this row needs memory
		// of its own.
		l.tx.data = nil
		l.emptyPart()
		fallthrough
	default:
		if !l.tx.described[known.relation.id] {
			l.tx.described[known.relation.id] = true
			l.add(known.raw)
		}
		l.add(data)
		l.tx.rows++
		return part, full, nil
	}
}

func (l *slotLog) add(message []byte) {
	l.tx.data = binary.AppendUvarint(l.tx.data, uint64(len(message)))
	l.tx.data = append(l.tx.data, message...)
}

func (l *slotLog) part() feed.Part {
	return feed.Part{Position: l.tx.position, Transaction: uint64(l.tx.xid), Data: l.tx.data}
}

func (l *slotLog) commit(m *message) (part feed.Part, ok bool, err error) {
	if !l.tx.open {
		return part, false, fmt.Errorf("a commit without a beginning: %w", errGarbage)
	}
	l.tx.open = false
	l.pass(m.end)
	part = l.part()
	switch {
	case l.tx.reset != "":
		part.Data, part.Reset = nil, l.tx.reset
	case l.tx.rows == 0:
		return feed.Part{}, false, nil
	}
	l.last = part.Position
	return part, true, nil
}
