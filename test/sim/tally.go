package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/world"
)

// tally counts what happened. It is safe for concurrent use.
type tally struct {
	mu           sync.Mutex // guards what follows
	seeds        int
	transactions int
	comparisons  int
	calls        int
	failures     []failure
	events       map[string]int
}

// newTally returns a tally with every event that there is at zero.
func newTally() *tally {
	t := &tally{events: map[string]int{
		"restart": 0, "two servers": 0, "foreign process": 0, "writers at once": 0, "tx: refused by the database": 0,
	}}
	for _, name := range model.Features {
		t.events["schema: "+name] = 0
	}
	for _, kind := range world.Kinds() {
		t.events["tx: "+kind] = 0
	}
	for _, s := range steps {
		t.events["client: "+s.name] = 0
	}
	for _, op := range callOps {
		for _, how := range []told{toldResult, toldRefused, toldUnknown} {
			t.events[op+" told "+string(how)] = 0
		}
	}
	for _, at := range cuts {
		t.events["cut "+string(at)] = 0
	}
	return t
}

// newTally returns a tally with every event that there is where seeds are played.
func (o options) newTally() *tally {
	t := newTally()
	more := []string{"rebuild", "trim", "younger trigger"}
	if o.database == model.Postgres {
		more = []string{"reshape", "truncate", "kill sender", "kill server"}
	}
	if o.cache != "" {
		more = append(append(more, "opened from the cache", "restored"), cacheEvents...)
	}
	if o.cache != "" && o.nodes > 0 {
		more = append(append(more, "kill heater: killed", "kill cooler: killed"), cacheNodeEvents...)
	}
	if o.nodes > 0 {
		more = append(more, nodeEvents...)
	}
	for _, event := range more {
		t.events[event] = 0
	}
	return t
}

func (t *tally) count(event string) { t.add(event, 1) }

func (t *tally) add(event string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events[event] += n
}

// features counts what a script's schema is made of.
func (t *tally) features(s *script) {
	for _, name := range s.Schema.Features() {
		t.count("schema: " + name)
	}
}

func (t *tally) transaction() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.transactions++
}

func (t *tally) compared(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.comparisons += n
}

// judged counts calls.
func (t *tally) judged(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls += n
}

// played counts a seed; err is what it ended badly with, nil if it did not.
func (t *tally) played(seed uint64, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seeds++
	if err != nil {
		t.failures = append(t.failures, failure{seed, err})
	}
}

// String is the end line.
func (t *tally) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("sim: %d seeds, %d transactions, %d calls, %d comparisons, %d divergences",
		t.seeds, t.transactions, t.calls, t.comparisons, len(t.failures))
}

// list writes how often each event happened.
func (t *tally) list(w io.Writer) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, event := range slices.Sorted(maps.Keys(t.events)) {
		fmt.Fprintf(w, "%8d  %s\n", t.events[event], event)
	}
}

// never are the events that did not happen.
func (t *tally) never() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	var missed []string
	for event, n := range t.events {
		if n == 0 {
			missed = append(missed, event)
		}
	}
	slices.Sort(missed)
	return missed
}
