package main

import (
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
	"github.com/pando-sync/pando/test/internal/perturb"
	"github.com/pando-sync/pando/test/internal/world"
)

// script is all that happens in a simulation. The events of a drawn one are
// drawn as it is played, since they depend on what the database holds, and are
// then part of it, so that it can be played again and made smaller.
type script struct {
	Seed     uint64        `json:"seed"`
	Schema   *model.Schema `json:"schema"`
	Plan     perturb.Plan  `json:"plan"`
	LogBytes int           `json:"log_bytes,omitempty"`
	Keep     int           `json:"keep,omitempty"`
	// Narrow leaves little room between the server and its clients.
	Narrow bool          `json:"narrow,omitempty"`
	Linger time.Duration `json:"linger,omitempty"`
	// Foreign adds a writer in another process, Second one in this process.
	Foreign bool `json:"foreign,omitempty"`
	Second  bool `json:"second,omitempty"`
	// Twin runs a second server over the database.
	Twin bool `json:"twin,omitempty"`
	// Nodes is how many processes serve instead, with a Broker between them.
	Nodes  int    `json:"nodes,omitempty"`
	Broker string `json:"broker,omitempty"`
	// Cache is what keeps what clients are shown, over the lives of servers.
	Cache string `json:"cache,omitempty"`
	// First fills the tables.
	First    world.Tx         `json:"first"`
	Routes   []oracle.Route   `json:"routes"`
	Users    []string         `json:"users"`
	Clients  []string         `json:"clients"` // each one's user
	Segments []*segmentScript `json:"segments"`
}

// segmentScript is what happens between two comparisons.
type segmentScript struct {
	// Draw is how many events are still to be drawn.
	Draw   int     `json:"draw,omitempty"`
	Events []event `json:"events,omitempty"`
	// Steps are each client's.
	Steps [][]step `json:"steps"`
}

// event is something that happens to the database or the server.
type event struct {
	// Do is "tx", "together", "restart", with SQLite "rebuild", "retrigger" or
	// "trim", with PostgreSQL "reshape", "truncate", "kill sender" or "kill server",
	// with nodes one of nodeEvents, with a cache one of cacheEvents, and with both one
	// of cacheNodeEvents.
	Do     string        `json:"do"`
	Way    int           `json:"way,omitempty"`
	Delay  time.Duration `json:"delay,omitempty"`
	Writer int           `json:"writer,omitempty"`
	// Txs are one transaction, or several that wait for each other.
	Txs   []world.Tx `json:"txs,omitempty"`
	Table string     `json:"table,omitempty"`
	// Wait lets the feed deliver it before the next.
	Wait bool `json:"wait,omitempty"`
}

// step is something that a client does, some transactions after the step
// before.
type step struct {
	Wait   int    `json:"wait,omitempty"`
	Do     string `json:"do"`
	Routes []int  `json:"routes,omitempty"`
	// Pick chooses one of what is open then.
	Pick  int           `json:"pick,omitempty"`
	Ticks int           `json:"ticks,omitempty"`
	Delay time.Duration `json:"delay,omitempty"`
	User  string        `json:"user,omitempty"`
	// Draw makes what a call is drawn from, Cut is where its connection breaks.
	Draw uint64 `json:"draw,omitempty"`
	Cut  cut    `json:"cut,omitempty"`
}

// A seed's random numbers come from several sources, so that what one of its
// goroutines draws does not depend on what another does.
const (
	streamScript = iota
	streamWriter
	streamGenerator
	streamSchema
	streamCalls
	streamCache
)

func random(seed, stream uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, stream)) //nolint:gosec // the same every time
}

// newScript draws the script of a seed on SQLite.
func newScript(seed uint64, fault string) *script { return drawScript(seed, options{fault: fault}) }

// drawScript draws the script of a seed.
func drawScript(seed uint64, o options) *script {
	rng := random(seed, streamScript)
	s := &script{
		Seed: seed, Schema: world.RandomSchema(random(seed, streamSchema)),
		Plan:   perturb.Plan{Fault: o.fault, SlowFeed: rng.IntN(3) == 0, SlowRead: rng.IntN(3) == 0, Seed: seed},
		Second: rng.IntN(2) == 0, Foreign: rng.IntN(8) == 0, Users: []string{"1", "2", "3"},
	}
	s.Schema.Database, s.Nodes, s.Broker, s.Cache = o.database, o.nodes, o.broker, o.cache
	if rng.IntN(2) == 0 {
		s.LogBytes = 1 + rng.IntN(2000)
	}
	if s.Narrow = rng.IntN(3) == 0; s.Narrow {
		s.LogBytes, s.Schema.Fat = 1+rng.IntN(300), true
	}
	if rng.IntN(4) == 0 {
		s.Keep = 1 + rng.IntN(8)
	}
	if rng.IntN(2) == 0 {
		s.Linger = time.Duration(1+rng.IntN(20)) * time.Millisecond
	}
	s.First = world.NewGenerator(random(seed, streamGenerator+100), s.Schema).First()
	s.Routes = world.Routes(rng, s.Schema)
	for range 2 + rng.IntN(4) {
		s.Clients = append(s.Clients, s.user(rng))
	}
	for range 2 + rng.IntN(3) {
		segment := &segmentScript{Draw: 6 + rng.IntN(16)}
		for range s.Clients {
			segment.Steps = append(segment.Steps, s.steps(rng))
		}
		s.Segments = append(s.Segments, segment)
	}
	if s.Cache != "" && s.Linger == 0 {
		s.Linger = 50 * time.Millisecond // what is never left is never opened again
	}
	s.addCalls(random(seed, streamCalls))
	return s
}

// addCalls draws what may be written, and who calls what.
func (s *script) addCalls(rng *rand.Rand) {
	world.DrawWritable(rng, s.Schema, append([]string{""}, s.Users...))
	s.Plan.Crashes, s.Twin = rng.IntN(2) == 0, rng.IntN(4) == 0
	for _, segment := range s.Segments {
		for i := range segment.Steps {
			segment.Steps[i] = callSteps(rng, segment.Steps[i])
		}
	}
}

// user draws a user, "" for nobody.
func (s *script) user(rng *rand.Rand) string {
	return append([]string{""}, s.Users...)[rng.IntN(len(s.Users)+1)]
}

func (s *script) steps(rng *rand.Rand) []step {
	steps := make([]step, 3+rng.IntN(5))
	for i := range steps {
		st := &steps[i]
		*st = step{Wait: rng.IntN(4), Do: drawStep(rng), Pick: rng.IntN(100), Ticks: 1 + rng.IntN(10)}
		st.Delay = time.Duration(rng.IntN(3000)) * time.Microsecond
		st.User = s.user(rng)
		for range 1 + rng.IntN(6) {
			st.Routes = append(st.Routes, rng.IntN(len(s.Routes)))
		}
	}
	return steps
}

// clone is a deep copy.
func (s *script) clone() *script {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	c := new(script)
	if err := json.Unmarshal(text, c); err != nil {
		panic(err)
	}
	return c
}

// short is the script without what happens.
func (s *script) short() *script {
	short := *s
	short.First, short.Segments = world.Tx{}, nil
	return &short
}

// describe is the script's beginning as one line.
func describe(s *script) string {
	text, err := json.Marshal(s.short())
	if err != nil {
		panic(err)
	}
	return string(text)
}
