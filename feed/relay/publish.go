package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed"
)

const (
	// heartbeat is how long the stream may be silent. Followers notice three that
	// are missing.
	heartbeat = 300 * time.Millisecond
	// advanceEvery is how often at most the stream tells that the log has come to a
	// position, and nothing else.
	advanceEvery = 5 * time.Millisecond
	// patient is how long one call of the broker or the database may take.
	patient = 5 * time.Second
)

// errLost ends a term: somebody else has appended to the stream, or it does not
// hold any more what was appended.
var errLost = errors.New("the stream is not this owner's any more")

// publisher appends the log to the stream for one term. Two goroutines work:
// one reads the log into the queue, one appends what is queued.
type publisher struct {
	source *Source
	log    feed.Log
	stream broker.Stream
	logger *slog.Logger
	queue  *queue
	sight  *sight
	// epoch is the database's, resumed where the stream ended when the term began:
	// what the log tells up to there is told again.
	epoch   string
	resumed feed.Position

	// What follows is of the one who reads the log: how far it has come, and how
	// many parts of the commit under way it has queued.
	reached feed.Position
	parts   uint64

	// What follows is of the one who appends: the stream's end, the position that
	// it tells wholly, and what every record has.
	number   uint64
	position feed.Position
	term     uint64
	life     uint64
	base     feed.Position
	// born is the number of the last record of this term that made what was known
	// void, 0 for none.
	born uint64
	// first is the number of the first record of the commit under way, 0 between
	// commits.
	first uint64
	acked feed.Position
}

// publish appends the log to the stream until it is lost, or ctx ends.
func publish(ctx context.Context, s *Source, log feed.Log) error {
	p := &publisher{source: s, log: log, stream: s.stream, logger: s.logger, queue: newQueue(), term: log.Term()}
	err := p.begin(ctx)
	if errors.Is(err, errRenewed) {
		return err
	}
	if err != nil {
		return fmt.Errorf("begin to publish the log: %w", err)
	}
	s.logger.Info("this node publishes the database's log", "term", p.term, "epoch", p.epoch, "position", p.position)
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{}, 2)
	run := func(work func(context.Context) error) {
		cancel(work(ctx))
		done <- struct{}{}
	}
	asked := make(chan struct{})
	go func() { defer close(asked); p.sight.run(ctx) }()
	go run(p.read)
	go run(p.write)
	<-done
	<-done
	<-asked
	return fmt.Errorf("publish the log: %w", context.Cause(ctx))
}

// read brings the log into the queue.
func (p *publisher) read(ctx context.Context) error {
	for {
		part, err := p.log.Next(ctx)
		if err != nil {
			return err
		}
		if err := p.sight.wait(ctx); err != nil {
			return err
		}
		if err := p.accept(ctx, part); err != nil {
			return err
		}
	}
}

// accept queues a part, unless the stream has it.
func (p *publisher) accept(ctx context.Context, part feed.Part) error {
	known := part.Position <= p.reached
	switch {
	case part.Reset != "":
		return p.reset(ctx, part)
	case part.Data == nil && !known:
		p.reached = part.Position
		p.queue.advance(part.Position)
	case part.Data == nil, known && part.More:
	case known:
		p.again(part)
	default:
		return p.queueParts(ctx, part)
	}
	return nil
}

// again notes a commit that the log tells again, since reads may not have seen
// it when the owner before ended.
func (p *publisher) again(part feed.Part) {
	if part.Position <= p.resumed {
		p.sight.add(unseen{position: part.Position, transaction: part.Transaction}, 0)
	}
}

func (p *publisher) queueParts(ctx context.Context, part feed.Part) error {
	records, err := pack(part, p.parts)
	if err != nil {
		return err
	}
	p.parts++
	if !part.More {
		p.reached, p.parts = part.Position, 0
	}
	for _, r := range records {
		if err := p.queue.put(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// reset queues that what was known is void. The parts of a commit that it
// interrupts are, too, and so is what is left of it. One that is no commit's
// stands where the log has come to, and never comes again.
func (p *publisher) reset(ctx context.Context, part feed.Part) error {
	if part.Transaction != 0 && part.Position <= p.reached {
		p.again(part)
		return nil
	}
	p.reached, p.parts = max(p.reached, part.Position), 0
	return p.queue.put(ctx, &record{kind: renewed, position: p.reached, transaction: part.Transaction, body: cut(part.Reset)})
}

// askEpoch asks for the database's epoch.
func (p *publisher) askEpoch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	epoch, err := p.source.db.Epoch(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("ask for the database's epoch: %w", err)
	case len(epoch) > maxEpoch:
		return "", fmt.Errorf("the name of the database's epoch has %d bytes, %d are the most", len(epoch), maxEpoch)
	}
	return epoch, nil
}

// cut bounds a reason.
func cut(reason string) []byte { return []byte(reason[:min(len(reason), 1000)]) }

// write appends what is queued, and heartbeats.
func (p *publisher) write(ctx context.Context) error {
	timer := time.NewTimer(heartbeat)
	defer timer.Stop()
	last := time.Now()
	for {
		batch, wait := p.due(time.Since(last))
		if batch == nil {
			timer.Reset(wait)
			select {
			case <-p.queue.filled:
			case <-timer.C:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
			continue
		}
		last = time.Now()
		if err := p.append(ctx, batch); err != nil {
			return err
		}
		if err := p.ack(); err != nil {
			return err
		}
	}
}

// due takes what is to be appended now, some time after the last append;
// otherwise it tells how long to wait at most.
func (p *publisher) due(since time.Duration) (batch []*record, wait time.Duration) {
	idle, empty := p.queue.idle()
	switch {
	case !idle:
	case !empty && since < advanceEvery:
		return nil, advanceEvery - since
	case empty && since < heartbeat:
		return nil, heartbeat - since
	case empty && p.log.Quiet():
		return nil, heartbeat // followers notice that none comes
	case empty:
		return []*record{{kind: advanced, position: p.position}}, 0
	}
	return p.queue.take(), 0
}

// append stores a batch and notes where the stream stands then.
func (p *publisher) append(ctx context.Context, batch []*record) error {
	visible, from := p.sight.mark()
	bodies := make([][]byte, len(batch))
	for i, r := range batch {
		p.fill(r, p.number+1+uint64(i))
		// Nobody begins before what was known became void.
		r.visible, r.from = visible, max(from, p.born)
		bodies[i] = r.encode()
	}
	number := p.number
	if err := p.store(ctx, bodies); err != nil {
		return err
	}
	for i, r := range batch {
		p.note(r, number+1+uint64(i))
	}
	return nil
}

// fill gives a record what all have, and links it to the one before.
func (p *publisher) fill(r *record, number uint64) {
	r.previous = p.position
	switch {
	case r.kind == renewed:
		p.life++
		p.base, p.position, p.first, p.born = r.position, r.position, 0, number
	case r.kind == committed && p.first == 0:
		p.first = number
	}
	if r.first = p.first; !r.unfinished() && r.kind == committed {
		p.first = 0
	}
	r.term, r.epoch, r.life, r.base = p.term, p.epoch, p.life, p.base
	p.position = r.end()
}

// note tells sight of a record that is stored. A heartbeat within a commit says
// nothing of it, and nothing that stands where the stream ended when the term
// began says that what was told before is visible.
func (p *publisher) note(r *record, number uint64) {
	old := r.position <= p.resumed
	c := unseen{position: r.position, transaction: r.transaction, first: number, before: r.previous}
	switch {
	case r.unfinished(), r.kind == advanced && (r.first != 0 || old), r.kind == renewed && old:
	case r.kind == committed:
		c.first = r.first
		fallthrough
	default:
		p.sight.add(c, number+1)
	}
}

// ack lets the log forget what is stored and visible. What is not visible yet is
// told again to the owner that comes next, which has to know of it.
func (p *publisher) ack() error {
	visible, _ := p.sight.mark()
	if visible = min(visible, p.position); visible <= p.acked {
		return nil
	}
	p.acked = visible
	return p.log.Ack(visible)
}
