package main

import (
	"cmp"
	"slices"
	"sync"

	"github.com/pando-sync/pando/token"
)

// Viewer is a person who has a board open.
type Viewer struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// audience knows the open streams of every board in this process. It is safe
// for concurrent use.
type audience struct {
	mu     sync.Mutex // guards boards
	boards map[int64]map[*BoardChannel]Viewer
}

func newAudience() *audience {
	return &audience{boards: map[int64]map[*BoardChannel]Viewer{}}
}

// enter adds an open stream, and tells all of its board.
func (a *audience) enter(c *BoardChannel) error {
	user, _ := c.User().Value.(token.User)
	a.mu.Lock()
	streams := a.boards[c.id()]
	if streams == nil {
		streams = map[*BoardChannel]Viewer{}
		a.boards[c.id()] = streams
	}
	streams[c] = Viewer{user.ID, user.Name}
	a.mu.Unlock()
	return a.tell(c.id())
}

// leave removes a stream, and tells those that remain.
func (a *audience) leave(c *BoardChannel) {
	a.mu.Lock()
	delete(a.boards[c.id()], c)
	if len(a.boards[c.id()]) == 0 {
		delete(a.boards, c.id())
	}
	a.mu.Unlock()
	a.tell(c.id()) // numbers and strings can always be encoded
}

// tell sets every stream's viewers. They are read within SetRuntime, so that
// whoever comes last has the latest.
func (a *audience) tell(board int64) error {
	for _, c := range a.streams(board) {
		if err := c.SetRuntime(func(r *BoardRuntime) { r.Viewers = a.viewers(board) }); err != nil {
			return err
		}
	}
	return nil
}

func (a *audience) streams(board int64) []*BoardChannel {
	a.mu.Lock()
	defer a.mu.Unlock()
	streams := make([]*BoardChannel, 0, len(a.boards[board]))
	for c := range a.boards[board] {
		streams = append(streams, c)
	}
	return streams
}

// viewers names everybody once, however many windows they have.
func (a *audience) viewers(board int64) []Viewer {
	a.mu.Lock()
	defer a.mu.Unlock()
	viewers := make([]Viewer, 0, len(a.boards[board]))
	for _, v := range a.boards[board] {
		viewers = append(viewers, v)
	}
	slices.SortFunc(viewers, func(v, w Viewer) int { return cmp.Compare(v.ID, w.ID) })
	return slices.CompactFunc(viewers, func(v, w Viewer) bool { return v.ID == w.ID })
}
