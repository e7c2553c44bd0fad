package relay

import (
	"context"
	"sync"

	"github.com/pando-sync/pando/feed"
)

// The bounds of what waits to be appended: past them the log is read no
// further. A record that is larger than its share waits for an empty queue.
const (
	maxQueued      = 4096
	maxQueuedBytes = 8 << 20
)

// The bounds of what is appended at once.
const (
	maxBatch      = 256
	maxBatchBytes = 4 << 20
)

// queue holds the records that were read from the log until they are appended.
type queue struct {
	filled, room chan struct{} // have one value after a change

	mu      sync.Mutex // guards what follows
	records []*record
	bytes   int
}

func newQueue() *queue {
	return &queue{filled: make(chan struct{}, 1), room: make(chan struct{}, 1)}
}

// put waits for room and adds a record.
func (q *queue) put(ctx context.Context, r *record) error {
	for !q.offer(r) {
		select {
		case <-q.room:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func (q *queue) offer(r *record) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	full := len(q.records) >= maxQueued || q.bytes+len(r.body) > maxQueuedBytes
	if full && len(q.records) > 0 {
		return false
	}
	q.records = append(q.records, r)
	q.bytes += len(r.body)
	signal(q.filled)
	return true
}

// advance adds that the log has come to a position. It takes the place of an
// advance that waits at the end, so that there is always room.
func (q *queue) advance(p feed.Position) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.records); n > 0 && q.records[n-1].kind == advanced {
		q.records[n-1].position = p
		return
	}
	q.records = append(q.records, &record{kind: advanced, position: p})
	signal(q.filled)
}

// idle tells that nothing but an advance waits, if anything.
func (q *queue) idle() (idle, empty bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := len(q.records)
	return n == 0 || n == 1 && q.records[0].kind == advanced, n == 0
}

// take removes what is to be appended at once.
func (q *queue) take() []*record {
	q.mu.Lock()
	defer q.mu.Unlock()
	n, bytes := 0, 0
	for n < len(q.records) && n < maxBatch && (n == 0 || bytes+len(q.records[n].body) <= maxBatchBytes) {
		bytes += len(q.records[n].body)
		n++
	}
	batch := q.records[:n:n]
	q.records = q.records[n:]
	q.bytes -= bytes
	if n > 0 {
		signal(q.room)
	}
	return batch
}
