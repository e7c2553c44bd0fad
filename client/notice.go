package client

import (
	"context"
	"encoding/json"
	"iter"
	"sync"
)

// maxNotices is how many notices of a stream wait to be taken; the oldest are
// dropped for new ones.
const maxNotices = 100

// Notice is what a server tells a stream that is no state.
type Notice struct {
	Name string
	// Value is JSON.
	Value json.RawMessage
	// Dropped is how many were lost before this one, because nobody took them.
	Dropped int
}

// notices is a queue of notices. The zero value is empty.
type notices struct {
	mu      sync.Mutex // guards what follows
	waiting []Notice
}

func (q *notices) add(n Notice) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == maxNotices {
		dropped := q.waiting[0].Dropped + 1
		q.waiting = append(q.waiting[:0], q.waiting[1:]...)
		q.waiting[0].Dropped += dropped
	}
	q.waiting = append(q.waiting, n)
}

// take takes the oldest one.
func (q *notices) take() (n Notice, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) == 0 {
		return n, false
	}
	n = q.waiting[0]
	q.waiting = append(q.waiting[:0], q.waiting[1:]...)
	return n, true
}

// Notices takes the notices of the stream, in order, as they come, each given
// to one who ranges; see Notice for what is dropped. It ends with the error that
// the stream, or ctx, ends with. Those sent while there is no connection do not
// come.
func (s *Stream[S]) Notices(ctx context.Context) iter.Seq2[Notice, error] {
	return func(yield func(Notice, error) bool) {
		for {
			var n Notice
			err := s.until(ctx, "notices of", func() (ok bool) {
				n, ok = s.notices.take()
				return ok
			})
			if !yield(n, err) || err != nil {
				return
			}
		}
	}
}
