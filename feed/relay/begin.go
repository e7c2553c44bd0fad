package relay

import (
	"context"
	"errors"
	"fmt"

	"github.com/pando-sync/pando/broker"
)

// errRenewed ends a term before it has begun: the database has begun another
// epoch for it.
var errRenewed = errors.New("the database has begun another epoch")

// begin appends the first record of the term: from then on no owner before can
// append.
func (p *publisher) begin(ctx context.Context) error {
	epoch, err := p.askEpoch(ctx)
	if err != nil {
		return err
	}
	p.epoch = epoch
	for {
		last, number, err := lastRecord(ctx, p.stream)
		if err != nil && !errors.Is(err, broker.ErrNoRecord) {
			return fmt.Errorf("%w: read the end of the stream: %w", errRefused, err)
		}
		r, err := p.opening(ctx, last, number+1)
		if err != nil {
			return err
		}
		number, err = appendOne(ctx, p.stream, number, r)
		if errors.Is(err, broker.ErrStale) {
			continue // the owner before was quicker by one record
		}
		if err != nil {
			return fmt.Errorf("%w: append to the stream: %w", errRefused, err)
		}
		p.start(r, number)
		return nil
	}
}

// lastRecord reads the end of a stream. That of an empty one is
// broker.ErrNoRecord, with the number of the last record that there was.
func lastRecord(ctx context.Context, stream broker.Stream) (*record, uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	last, err := stream.Last(ctx)
	if err != nil {
		return nil, last.Number, err
	}
	r, err := decode(last.Body)
	return r, last.Number, err
}

func appendOne(ctx context.Context, stream broker.Stream, after uint64, r *record) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	return stream.Append(ctx, after, r.encode())
}

// opening makes the first record of the term: the stream goes on after its last
// record, nil for none, or an epoch begins where the log does. Its own number
// will be the one given.
func (p *publisher) opening(ctx context.Context, last *record, number uint64) (*record, error) {
	reason, err := p.discontinuity(ctx, last)
	switch {
	case err != nil:
		return nil, err
	case reason == "":
		end := last.end()
		return &record{
			kind: begun, term: p.term, epoch: last.epoch, life: last.life, base: last.base, position: end, previous: end,
			visible: max(last.visible, min(p.log.Start(), end)), from: last.from,
		}, nil
	}
	switch unused := &p.source.unused; {
	case unused.epoch == p.epoch:
		reason = unused.reason
		*unused = renewal{}
	case last == nil || last.epoch == p.epoch:
		return nil, p.renew(ctx, reason)
	}
	p.logger.Warn("the stream of commits begins anew: all nodes read what they show again", "reason", reason)
	start := p.log.Start()
	return &record{kind: renewed, term: p.term, epoch: p.epoch, life: 1, base: start, position: start, previous: start, visible: start, from: number, body: cut(reason)}, nil
}

// renewal is an epoch of which the stream is yet to tell, and why there is one.
type renewal struct{ epoch, reason string }

// renew has the database begin another epoch, and fails with errRenewed: a log
// ends with the epoch in which it began, and has to be owned again. The database
// knows the epoch before the stream does, so that nobody who asks it goes by what
// was before.
func (p *publisher) renew(ctx context.Context, reason string) error {
	renewing, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	if err := p.source.db.Renew(renewing); err != nil {
		return err
	}
	epoch, err := p.askEpoch(ctx)
	if err != nil {
		return err
	}
	p.source.unused = renewal{epoch, reason}
	return errRenewed
}

// discontinuity tells why the log cannot go on where the stream ends, or "".
func (p *publisher) discontinuity(ctx context.Context, last *record) (string, error) {
	if last == nil {
		return "nothing was published before, or it was lost", nil
	}
	if last.epoch != p.epoch {
		return "the stream tells another history of the database", nil
	}
	if last.term >= p.term {
		return "", fmt.Errorf("%w: it has term %d, this one is %d", errLost, last.term, p.term)
	}
	if start := p.log.Start(); start > last.end() {
		return fmt.Sprintf("the log begins at %d, but the stream ends at %d", start, last.end()), nil
	}
	ctx, cancel := context.WithTimeout(ctx, patient)
	defer cancel()
	head, err := p.source.db.Head(ctx)
	if err != nil {
		return "", fmt.Errorf("ask for the head: %w", err)
	}
	if head < last.end() {
		return fmt.Sprintf("the database has come to %d, but the stream ends at %d: it was restored", head, last.end()), nil
	}
	return "", nil
}

// start takes over what the first record of the term says.
func (p *publisher) start(r *record, number uint64) {
	p.number, p.position, p.life, p.base = number, r.position, r.life, r.base
	p.resumed, p.reached, p.acked = r.position, r.position, r.visible
	p.sight = newSight(p.source.db.Visible, p.logger, r.visible, r.from)
}
