// Package presence is who is in each group, on all nodes: one person for each
// user, however many streams of theirs there are.
//
//	away ──Enter──► here ──last stream leaves──► leaving ──Grace──► away
//	                  ▲                             │
//	                  └────────────Enter────────────┘
//
// Nodes tell each other of what changes at them, and repeat all of it as a lease;
// a node that is not heard of for long has nobody. A node that begins to follow a
// group asks the others who is there.
//
// # Concurrency
//
// A Rosters is safe for concurrent use. Run sends all that other nodes are told,
// from one goroutine, so that it arrives in the order in which it happened.
package presence

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/pando-sync/pando/internal/group"
)

// Times of presence.
const (
	// Grace is how long somebody stays whose last stream has left: a page that is
	// loaded again does not leave and join.
	Grace = 5 * time.Second
	// renewal is how often a node repeats who is there, lease how long it is
	// believed.
	renewal = 10 * time.Second
	lease   = 30 * time.Second
)

// MaxInfo is the size of what is told of a person, in bytes of JSON.
const MaxInfo = 4 << 10

// CheckInfo returns an error for what is too much to be told of a person.
func CheckInfo(info json.RawMessage) error {
	if len(info) > MaxInfo {
		return fmt.Errorf("what is told of a person has %d bytes, %d are the most", len(info), MaxInfo)
	}
	return nil
}

// Config is what a Rosters needs.
type Config struct {
	// Groups carries announcements; its Node is "" where there are no other nodes.
	Groups *group.Groups
	Logger *slog.Logger
	// Changed is called when somebody in a group has come, gone or changed. It must
	// neither block nor call the Rosters.
	Changed func(group string)
}

// Rosters are the groups of which somebody here follows who is in them.
type Rosters struct {
	cfg  Config
	wake chan struct{} // has something when Run has to look

	mu    sync.Mutex // guards what follows
	rooms map[string]*room
	of    map[group.Member]map[*room]struct{}
	// telling are the rooms of which other nodes are to be told something.
	telling map[*room]struct{}
	// leaving are those whose grace runs, the first of them first; some may have
	// come back.
	leaving []departure
	// renew is when everybody is announced anew, sweep when leases may have ended.
	renew, sweep time.Time
}

// departure is the end of a user's grace in a room.
type departure struct {
	room  *room
	user  string
	until time.Time
}

// room is one group.
type room struct {
	name string
	// streams are those that follow the group, with the user of those who are
	// present.
	streams map[group.Member]seat
	here    map[string]*local
	there   map[string]map[string]*remote // by user and node
	// people are those who are in the roster, which is nil when it has to be made
	// anew.
	people map[string]*Person
	roster *Roster
	// dirty are the users of whom other nodes are to be told; all tells to announce
	// everybody, ask to ask who is elsewhere.
	dirty    map[string]struct{}
	all, ask bool
}

type seat struct {
	user    string
	present bool
}

// local is a user's presence on this node.
type local struct {
	info    json.RawMessage
	streams int
	until   time.Time // when somebody without streams is gone
}

// remote is a user's presence on another node.
type remote struct {
	info    json.RawMessage
	streams int
	until   time.Time
}

// Person is somebody who is in a group. It does not change.
type Person struct {
	User string
	Info json.RawMessage
	// Connections is the number of their streams; 0 while they are leaving.
	Connections int

	// Memo keeps what Info is decoded to.
	Memo group.Memo
}

// Roster is who is in a group, by user. It does not change.
type Roster struct {
	People []*Person

	// Memo keeps what People are decoded to.
	Memo group.Memo
}

// kind marks the messages of presence among those of a group.
const kind = "presence"

// New returns rosters of nobody. It must be called before cfg.Groups is opened.
func New(cfg Config) *Rosters {
	r := &Rosters{
		cfg: cfg, wake: make(chan struct{}, 1),
		rooms: map[string]*room{}, of: map[group.Member]map[*room]struct{}{}, telling: map[*room]struct{}{},
	}
	cfg.Groups.Handle(kind, r.hear)
	cfg.Groups.OnGap(r.gap)
	return r
}

// alone tells that there are no other nodes.
func (r *Rosters) alone() bool { return r.cfg.Groups.Node() == "" }

// Follow has a group's roster kept while m, which is a member of the group, does
// not leave.
func (r *Rosters) Follow(name string, m group.Member) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.follow(name, m)
	return err
}

func (r *Rosters) follow(name string, m group.Member) (*room, error) {
	if m.Closed() {
		return nil, group.ErrClosed
	}
	o := r.room(name)
	if _, ok := o.streams[m]; !ok {
		o.streams[m] = seat{}
	}
	if r.of[m] == nil {
		r.of[m] = map[*room]struct{}{}
	}
	r.of[m][o] = struct{}{}
	return o, nil
}

func (r *Rosters) room(name string) *room {
	o := r.rooms[name]
	if o == nil {
		o = &room{
			name: name, streams: map[group.Member]seat{}, here: map[string]*local{}, there: map[string]map[string]*remote{},
			people: map[string]*Person{}, dirty: map[string]struct{}{}, ask: true,
		}
		r.rooms[name] = o
		r.tell(o)
	}
	return o
}

// Enter makes a user present in a group by a stream, which follows it then. info
// is what is told of them; the latest counts.
func (r *Rosters) Enter(name string, m group.Member, user string, info json.RawMessage) error {
	if err := CheckInfo(info); err != nil {
		return err
	}
	r.mu.Lock()
	o, err := r.follow(name, m)
	if err != nil {
		r.mu.Unlock()
		return err
	}
	p := o.here[user]
	if p == nil {
		p = &local{}
		o.here[user] = p
	}
	if !o.streams[m].present {
		p.streams++
		o.streams[m] = seat{user, true}
	}
	p.info, p.until = info, time.Time{}
	changed := r.changed(o, user)
	r.mu.Unlock()
	if changed {
		r.cfg.Changed(name)
	}
	return nil
}

// Leave ends what Enter and Follow began.
func (r *Rosters) Leave(name string, m group.Member) {
	r.mu.Lock()
	o := r.rooms[name]
	changed := o != nil && r.leave(o, m)
	r.mu.Unlock()
	if changed {
		r.cfg.Changed(name)
	}
}

// LeaveAll is Leave for all groups of a stream that is closed.
func (r *Rosters) LeaveAll(m group.Member) {
	r.mu.Lock()
	var changed []string
	for o := range r.of[m] {
		if r.leave(o, m) {
			changed = append(changed, o.name)
		}
	}
	r.mu.Unlock()
	for _, name := range changed {
		r.cfg.Changed(name)
	}
}

func (r *Rosters) leave(o *room, m group.Member) (changed bool) {
	s, ok := o.streams[m]
	if !ok {
		return false
	}
	delete(o.streams, m)
	if delete(r.of[m], o); len(r.of[m]) == 0 {
		delete(r.of, m)
	}
	if s.present {
		p := o.here[s.user]
		if p.streams--; p.streams == 0 {
			p.until = time.Now().Add(Grace)
			r.leaving = append(r.leaving, departure{o, s.user, p.until})
			r.look()
		}
		changed = r.changed(o, s.user)
	}
	r.forget(o)
	return changed
}

// forget drops a room that nobody follows and nobody is in.
func (r *Rosters) forget(o *room) {
	if len(o.streams) == 0 && len(o.here) == 0 && len(o.dirty) == 0 {
		delete(r.rooms, o.name)
	}
}

// look has Run see to what is due.
func (r *Rosters) look() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// tell has other nodes be told of a room.
func (r *Rosters) tell(o *room) {
	if !r.alone() {
		r.telling[o] = struct{}{}
		r.look()
	}
}

// changed notes that a user's presence here may have changed, for the roster and
// for other nodes, and tells whether the roster has.
func (r *Rosters) changed(o *room, user string) bool {
	if !r.alone() {
		o.dirty[user] = struct{}{}
		r.tell(o)
	}
	return r.settle(o, user)
}

// settle brings the roster's person of a user up to date.
func (r *Rosters) settle(o *room, user string) bool {
	now := r.person(o, user)
	was := o.people[user]
	switch {
	case now == nil && was == nil:
		return false
	case now == nil:
		delete(o.people, user)
	case was != nil && was.Connections == now.Connections && bytes.Equal(was.Info, now.Info):
		return false
	default:
		o.people[user] = now
	}
	o.roster = nil
	return true
}

// person puts together what all nodes say of a user. All nodes believe the same
// one about what is told of them: the first by name.
func (r *Rosters) person(o *room, user string) *Person {
	var p *Person
	first := ""
	take := func(node string, info json.RawMessage, streams int) {
		if p == nil {
			p = &Person{User: user}
		}
		if p.Info == nil || node < first {
			p.Info, first = info, node
		}
		p.Connections += streams
	}
	if l := o.here[user]; l != nil {
		take(r.cfg.Groups.Node(), l.info, l.streams)
	}
	for node, e := range o.there[user] {
		take(node, e.info, e.streams)
	}
	return p
}

// Of is who is in a group that somebody here follows; nobody is in others.
func (r *Rosters) Of(name string) *Roster {
	r.mu.Lock()
	defer r.mu.Unlock()
	o := r.rooms[name]
	if o == nil {
		return &Roster{}
	}
	if o.roster == nil {
		o.roster = &Roster{People: make([]*Person, 0, len(o.people))}
		for _, p := range o.people {
			o.roster.People = append(o.roster.People, p)
		}
		slices.SortFunc(o.roster.People, func(p, q *Person) int { return strings.Compare(p.User, q.User) })
	}
	return o.roster
}

// Since tells who has come and who has gone between two rosters, by user.
func (t *Roster) Since(was *Roster) (joined, left []*Person) {
	old := was.People
	for _, p := range t.People {
		for len(old) > 0 && old[0].User < p.User {
			left = append(left, old[0])
			old = old[1:]
		}
		if len(old) > 0 && old[0].User == p.User {
			old = old[1:]
			continue
		}
		joined = append(joined, p)
	}
	return joined, append(left, old...)
}
