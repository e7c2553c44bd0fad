package manage

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pando-sync/pando/cache"
)

// cachingApp has some entries.
type cachingApp struct {
	talkingApp

	none bool
	all  []cache.Entry
}

func (a cachingApp) Cached() bool { return !a.none }

func (a cachingApp) CacheEntries(_ context.Context, f cache.Filter) (all []cache.Entry, err error) {
	for _, e := range a.all {
		if f.Selects(e.Key) {
			all = append(all, e)
		}
	}
	return all, a.err
}

func (a cachingApp) DropCache(ctx context.Context, f cache.Filter) (int, error) {
	all, err := a.CacheEntries(ctx, f)
	a.note("drop " + f.Channel + "/" + f.Anchor)
	return len(all), err
}

func TestExpireCache(t *testing.T) {
	now := time.Now()
	entry := func(channel, anchor string, state cache.State, ago time.Duration, rows int) cache.Entry {
		return cache.Entry{Key: cache.Key{Channel: channel, Anchor: anchor}, State: state, Since: now.Add(-ago), Rows: rows}
	}
	all := []cache.Entry{
		entry("BoardChannel", "10", cache.Cooling, 5*time.Minute, 12), entry("TasksChannel", "", cache.Hot, time.Hour, 3),
		entry("BoardChannel", "7", cache.Hot, 90*time.Second, 812),
	}
	for _, c := range []struct {
		args   string
		none   bool
		code   int
		output string
		step   string
	}{
		{"", false, 0, "Dropped 3 entries.\n", "drop /"},
		{"--channel BoardChannel", false, 0, "Dropped 2 entries.\n", "drop BoardChannel/"},
		{"--channel=BoardChannel --anchor=7", false, 0, "Dropped 1 entry.\n", "drop BoardChannel/7"},
		{"--dry-run", false, 0, "" +
			"CHANNEL       ANCHOR  STATE    FOR     ROWS\n" +
			"BoardChannel  7       HOT      1m30s   812\n" +
			"BoardChannel  10      COOLING  5m0s    12\n" +
			"TasksChannel  -       HOT      1h0m0s  3\n" +
			"3 entries would be dropped.\n", ""},
		{"--dry-run --anchor 8", false, 0, "0 entries would be dropped.\n", ""},
		{"--memory", false, 0, "", "setup,expire"},
		{"", true, 0, "", "setup,expire"},
		{"--dry-run", true, 1, "board: this app has no cache: set pando.Config.Cache, or leave the flags out to have the servers read anew\n", ""},
		{"--memory --anchor 7", false, 1, "board: --memory forgets all that servers hold: give it alone\n", "-"},
	} {
		b := newBench(t)
		b.change = func(p *Project) { p.App = cachingApp{talkingApp{fakeApp: b.app}, c.none, all} }
		b.wantOutcome(b.run("", append([]string{"expire_cache"}, strings.Fields(c.args)...)...), c.code, c.output)
		if c.step == "-" {
			b.wantSteps()
			continue
		}
		b.wantSteps(append(strings.FieldsFunc(c.step, func(r rune) bool { return r == ',' }), "close")...)
	}
}

func TestMigrateDropsTheCache(t *testing.T) {
	b := newBench(t)
	b.change = func(p *Project) { p.App = cachingApp{talkingApp: talkingApp{fakeApp: b.app}} }
	b.wantOutcome(b.run("", "migrate"), 0, "")
	b.wantSteps("migrate", "setup", "drop /", "close")
	b.change = func(p *Project) { p.App = cachingApp{talkingApp: talkingApp{b.app, errors.New("no answer")}} }
	b.wantOutcome(b.run("", "migrate"), 1, "board: no answer: the database is migrated; run expire_cache once the cache answers\n")
}
