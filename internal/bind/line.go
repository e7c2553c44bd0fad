package bind

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/rpc"
)

// Bounds of what waits for a subscription to begin. Past them it begins again.
const (
	maxBuffered      = 4096
	maxBufferedBytes = 4 << 20
)

// patience is how long who subscribes waits for the rows.
const patience = 15 * time.Second

// Line is one stream that is told of a model's rows. A subscription of it goes
// through these phases:
//
//	         Receive              the loader              what it read is sent
//	none ───────────────► waiting ──────────► reading ───────► sending ───────► live
//	                         ▲                   │                │              │
//	                         └── a gap, another group, too much meanwhile ───────┘
//
// While it is none, waiting or live the line is told of rows at once; while it is
// reading or sending what it is told waits. A gap cuts the sending: what is sent
// behind it is of another snapshot.
type Line struct {
	out    *Outbound
	place  place
	member Member

	mu     sync.Mutex // guards what follows
	closed bool
	// full tells that the member takes nothing until it calls Gapped.
	full bool
	// left is the last departure of the connection from a group: see Outbound.Left.
	left uint64
	sub  *subscription // nil for none
}

// phase is how far a subscription is.
type phase uint8

const (
	waiting phase = iota
	reading
	sending
	live
)

// subscription is what a line keeps of one. The line's mutex guards it.
type subscription struct {
	phase phase
	// again tells that what is read, or sent, is not the last word.
	again  bool
	buffer []*news
	bytes  int
	// begun is closed when the rows were read for the first time, or cannot be: err
	// says why.
	begun chan struct{}
	once  bool
	err   error
	// stop ends the sending, which has ended when left is closed. cut tells that it is
	// to end before all is sent, gap that the client is told of a gap then.
	stop     context.CancelFunc
	left     chan struct{}
	cut, gap bool
}

// news is what a commit says of a row to all who are told alike.
type news struct {
	position feed.Position // of the commit
	message  *Message
	// left is the last departure that is known to those who say whom it is told.
	left uint64
}

// tell tells of a row. Where the connection may have left the row's group since it
// was found there, it is told of a gap.
func (l *Line) tell(n *news) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n.left < l.left {
		l.lose()
		return
	}
	if s := l.sub; s != nil && (s.phase == reading || s.phase == sending) {
		s.keep(n)
		return
	}
	l.put(n.message)
}

// put hands a message to the member. The mutex is held.
func (l *Line) put(m *Message) {
	if !l.closed && !l.full {
		l.full = !l.member.Tell(m)
	}
}

// keep keeps what is told meanwhile; what is too much has it begin again.
func (s *subscription) keep(n *news) {
	if s.again {
		return // what begins next has it
	}
	s.buffer = append(s.buffer, n)
	if s.bytes += n.message.Size(); len(s.buffer) > maxBuffered || s.bytes > maxBufferedBytes {
		s.again, s.buffer, s.bytes = true, nil, 0
	}
}

// Gap tells the client of a gap, after which a subscription begins anew.
func (l *Line) Gap() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose()
}

// lose is Gap. The mutex is held.
func (l *Line) lose() {
	if s := l.sub; s != nil && s.phase == sending {
		s.gap = true // behind the part that is being sent
		s.breakOff()
		return
	}
	l.tellGap()
	l.restart()
}

// breakOff ends the sending, after which the subscription begins anew. The line's
// mutex is held.
func (s *subscription) breakOff() {
	s.cut, s.again, s.buffer, s.bytes = true, true, nil, 0
	s.stop()
}

// Gapped tells that the client was told of a gap: that which the member has noted
// as it took nothing more, or another. It is called once what is told next follows
// that, and before what waits in Member.Send goes on; a subscription begins anew.
func (l *Line) Gapped() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.full = false
	if s := l.sub; s != nil && s.phase == sending {
		s.breakOff()
		return
	}
	l.restart()
}

// anew has a subscription begin anew.
func (l *Line) anew() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.restart()
}

// leave is anew for a connection that has left a group: of what was to be told before
// nothing is told any more, as some of it may be the group's.
func (l *Line) leave(departure uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = departure
	switch s := l.sub; {
	case s != nil && s.phase == sending:
		s.gap = true
		s.breakOff()
	case s != nil && s.phase == reading:
		s.again, s.buffer, s.bytes = true, nil, 0
	default:
		l.restart()
	}
	if !l.closed {
		l.member.Drop() // behind the end of the sending, which adds nothing any more
	}
}

// restart has the subscription, if there is one, begin anew, after what is under
// way. The mutex is held.
func (l *Line) restart() {
	switch s := l.sub; {
	case s == nil || s.phase == waiting:
	case s.phase == live:
		s.phase = waiting
		l.load()
	default:
		s.again = true
	}
}

// load asks for the rows.
func (l *Line) load() { l.out.loads[l.place.model].want(l) }

// Close ends the line: after its return nothing of the member is called. It must
// not be called where the member is.
func (l *Line) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	left := l.end(rpc.Unavailable())
	l.mu.Unlock()
	<-left
	l.out.drop(l)
}

// end ends the subscription, if there is one, and returns what is closed once
// nothing of it is sent any more. The mutex is held.
func (l *Line) end(err error) <-chan struct{} {
	s := l.sub
	l.sub = nil
	if s == nil {
		return ended
	}
	s.begin(err)
	switch {
	case s.phase == reading && !s.again:
		for _, n := range s.buffer {
			l.put(n.message)
		}
	case s.phase == reading:
		l.tellGap() // of what has waited some is gone
	case s.phase == sending:
		s.gap = true // some of the rows are not sent
		s.breakOff()
		return s.left
	}
	return ended
}

// tellGap has the member tell the client of a gap, unless it will by itself. The
// mutex is held.
func (l *Line) tellGap() {
	if !l.closed && !l.full {
		l.member.Gap()
	}
}

// ended is closed.
var ended = func() <-chan struct{} {
	c := make(chan struct{})
	close(c)
	return c
}()

// begin lets go who waits for the first rows. The line's mutex is held.
func (s *subscription) begin(err error) {
	if !s.once {
		s.once, s.err = true, err
		close(s.begun)
	}
}

// actionOf is the action of a payload, "" where it has none.
func actionOf(payload json.RawMessage) string {
	var said struct {
		Action any `json:"action"`
	}
	if json.Unmarshal(payload, &said) != nil {
		return ""
	}
	name, _ := said.Action.(string)
	return name
}

// Receive takes what a client says of its subscription, {"action":"subscribe"}
// or {"action":"unsubscribe"}; taken is false for all else, which is the binding's.
// It returns once the rows that there are were read. They follow, and behind them
// every change:
//
//	{"action":"snapshot","model":"app.message","rows":[{"pk":1,"data":{…}}],"more":true}
//
// A snapshot has at least one part, and the last one no more. Who subscribes again
// is sent the rows again. After a gap, and after the connection has joined or left
// a group, there is another snapshot, which stands for all that was told before.
// Whoever is not subscribed is told of changes, too, but of no snapshot.
func (l *Line) Receive(ctx context.Context, payload json.RawMessage) (reply any, taken bool, err error) {
	switch actionOf(payload) {
	case "subscribe":
		return nil, true, l.subscribe(ctx)
	case "unsubscribe":
		l.unsubscribe()
		return nil, true, nil
	default:
		return nil, false, nil
	}
}

func (l *Line) subscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l.unsubscribe()
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return rpc.Unavailable()
	}
	s := &subscription{begun: make(chan struct{})}
	l.sub = s
	l.load()
	l.mu.Unlock()
	select {
	case <-s.begun:
		return s.err
	case <-ctx.Done():
		l.giveUp(s)
		return rpc.Unavailable()
	}
}

// giveUp ends a subscription that has not begun in time.
func (l *Line) giveUp(s *subscription) {
	l.mu.Lock()
	left := ended
	if l.sub == s {
		left = l.end(rpc.Unavailable())
	}
	l.mu.Unlock()
	<-left
}

// unsubscribe ends the subscription. What has waited for it is told.
func (l *Line) unsubscribe() {
	l.mu.Lock()
	left := l.end(rpc.Unavailable())
	l.mu.Unlock()
	<-left
}

// take begins to keep what the line is told, for the loader to read meanwhile. It
// tells whether the line still waits for that.
func (l *Line) take() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.sub == nil || l.sub.phase != waiting {
		return false
	}
	s := l.sub
	s.phase, s.again, s.buffer, s.bytes = reading, false, nil, 0
	return true
}

// waits tells whether the line waits for what the loader reads.
func (l *Line) waits() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !l.closed && l.sub != nil && l.sub.phase == reading && !l.sub.again
}

// fail has the line wait again, since its rows could not be read.
func (l *Line) fail() {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sub
	if l.closed || s == nil || s.phase != reading {
		return
	}
	if s.again {
		l.tellGap()
	}
	for _, n := range s.buffer {
		l.put(n.message)
	}
	s.phase, s.buffer, s.bytes = waiting, nil, 0
	l.load()
}

// send sends what was read, and what has come since, until ctx ends. The parts have
// all that was told up to a place.
func (l *Line) send(ctx context.Context, parts []*Message, upto feed.Position) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.sub
	if l.closed || s == nil || s.phase != reading {
		return
	}
	if s.again {
		s.phase = waiting
		l.load()
		return
	}
	s.buffer = slices.DeleteFunc(s.buffer, func(n *news) bool { return n.position <= upto })
	s.phase = sending
	s.begin(nil)
	ctx, s.stop = context.WithCancel(ctx)
	s.left = make(chan struct{})
	stop, left := s.stop, s.left
	l.out.sends.Go(func() {
		defer close(left)
		defer stop()
		l.sendAll(ctx, s, parts)
	})
}

// sendAll sends the parts, and what has come meanwhile, until nothing is left.
func (l *Line) sendAll(ctx context.Context, s *subscription, parts []*Message) {
	for parts != nil {
		for _, m := range parts {
			if ctx.Err() != nil || l.member.Send(ctx, m) != nil {
				l.broken(s)
				return
			}
		}
		parts = l.next(s)
	}
}

// next takes what is to be sent next. Once there is nothing the line is live.
func (l *Line) next(s *subscription) (more []*Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.cut {
		l.finish(s)
		return nil
	}
	for _, n := range s.buffer {
		more = append(more, n.message)
	}
	s.buffer, s.bytes = nil, 0
	if more != nil {
		return more
	}
	s.stop, s.left = nil, nil
	if s.again {
		s.phase = waiting
		l.load()
		return nil
	}
	s.phase = live
	return nil
}

// broken ends a sending that has not sent all, since it was cut or the stream has
// ended.
func (l *Line) broken(s *subscription) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.cut {
		l.finish(s)
	}
}

// finish ends a sending that was cut. The mutex is held.
func (l *Line) finish(s *subscription) {
	if s.gap {
		l.tellGap()
	}
	s.stop, s.left, s.cut, s.gap = nil, nil, false, false
	if l.sub == s {
		s.phase = waiting
		l.load()
	}
}
