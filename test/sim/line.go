package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/pando-sync/pando/pandotest"
)

// line sends requests of a client's connection as bytes, and sees their answers
// by a tap: it chooses keys, sends one request twice, and goes away when it
// likes. It is safe for concurrent use.
type line struct {
	conn *pandotest.Client

	mu      sync.Mutex // guards what follows
	nextID  uint64
	answers map[uint64]chan answer
	// opened is the stream whose opening was last answered, epoch the history of
	// its versions.
	opened, epoch string
	marked        uint64
	moved         chan struct{} // closed and replaced as marked grows
}

// answer is a reply.
type answer struct {
	Type    string          `json:"type"`
	Code    string          `json:"code"`
	Retry   bool            `json:"retry"`
	Value   json.RawMessage `json:"value"`
	Version uint64          `json:"version"`
}

// firstID is above the ids that the test client itself uses.
const firstID = 1 << 40

func newLine(conn *pandotest.Client) *line {
	return &line{conn: conn, nextID: firstID, answers: map[uint64]chan answer{}, moved: make(chan struct{})}
}

// see reads a frame as far as it answers requests.
func (l *line) see(frame []byte) {
	if bytes.HasPrefix(frame, []byte(`{"stream":"#`)) {
		return
	}
	var m struct {
		Stream  string `json:"stream"`
		ID      uint64 `json:"id"`
		Payload struct {
			answer

			V     uint64 `json:"v"`
			Epoch string `json:"epoch"`
		} `json:"payload"`
	}
	if err := json.Unmarshal(frame, &m); err != nil {
		panic(fmt.Sprintf("sim: the server sent %s: %v", frame, err))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch m.Payload.Type {
	case "opened":
		l.opened, l.epoch = m.Stream, m.Payload.Epoch
	case "mark":
		l.marked = max(l.marked, m.Payload.V)
		close(l.moved)
		l.moved = make(chan struct{})
	}
	if waits := l.answers[m.ID]; waits != nil {
		delete(l.answers, m.ID)
		waits <- m.Payload.answer
	}
}

// stream is the stream whose opening was last answered, and the history of its
// versions.
func (l *line) stream() (name, epoch string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.opened, l.epoch
}

// send sends requests in one frame and returns where their answers come.
func (l *line) send(stream string, payloads ...any) ([]<-chan answer, error) {
	l.mu.Lock()
	var envelopes []any
	var all []<-chan answer
	for _, p := range payloads {
		l.nextID++
		waits := make(chan answer, 1)
		l.answers[l.nextID] = waits
		envelopes, all = append(envelopes, map[string]any{"stream": stream, "id": l.nextID, "payload": p}), append(all, waits)
	}
	l.mu.Unlock()
	text, err := json.Marshal(envelopes)
	if err != nil {
		return nil, fmt.Errorf("encode requests: %w", err)
	}
	return all, l.conn.Raw(text)
}

// wait waits for an answer; without one it returns pandotest.ErrDropped, or the
// error of ctx.
func (*line) wait(ctx context.Context, gone <-chan struct{}, waits <-chan answer) (answer, error) {
	select {
	case a := <-waits:
		return a, nil
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-gone:
		select {
		case a := <-waits:
			return a, nil
		default:
			return answer{}, pandotest.ErrDropped
		}
	}
}

// passed waits for the mark of a version.
func (l *line) passed(ctx context.Context, gone <-chan struct{}, version uint64) error {
	for {
		l.mu.Lock()
		done, moved := l.marked >= version, l.moved
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-moved:
		case <-gone:
			return pandotest.ErrDropped
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
