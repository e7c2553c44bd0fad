package manage

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"
)

// talkingApp notes what servers would be told.
type talkingApp struct {
	*fakeApp

	err error
}

func (a talkingApp) BroadcastSystemMessage(_ context.Context, text string) error {
	a.note("say " + text)
	return a.err
}

func (a talkingApp) Maintenance(_ context.Context, text string, retryAfter time.Duration) error {
	a.note(fmt.Sprintf("away %s for %v", text, retryAfter))
	return a.err
}

func (a talkingApp) ExpireCache(context.Context) error {
	a.note("expire")
	return a.err
}

func TestMessages(t *testing.T) {
	for _, c := range []struct {
		args []string
		step string
	}{
		{[]string{"broadcast_system_message", "Backup at noon."}, "say Backup at noon."},
		{[]string{"broadcast-system-message", "Backup at noon."}, "say Backup at noon."},
		{[]string{"maintenance", "Back soon.", "--retry-after", "5m"}, "away Back soon. for 5m0s"},
		{[]string{"maintenance", "Back soon."}, "away Back soon. for 1m0s"},
		{[]string{"expire_cache"}, "expire"},
	} {
		b := newBench(t)
		b.change = func(p *Project) { p.App = talkingApp{fakeApp: b.app} }
		if got := b.run("", c.args...); got != (outcome{}) {
			t.Errorf("%q: %+v", c.args, got)
		}
		b.wantSteps("setup", c.step, "close") // nothing of the app's was migrated
	}
}

func TestMessagesRefuse(t *testing.T) {
	b := newBench(t)
	b.wantOutcome(b.run("", "expire_cache"), 1, "board: this app reaches no servers: set Project.App to what pando.New returned\n")
	b.change = func(p *Project) { p.App = talkingApp{b.app, errors.New("disk is full")} }
	b.wantOutcome(b.run("", "broadcast_system_message", "x"), 1, "board: disk is full\n")
	b.wantOutcome(b.run("", "broadcast_system_message", ""), 1, "board: the text is empty: say something\n")
	b.wantOutcome(b.run("", "maintenance", "x", "--retry-after=0s"), 1, "board: clients cannot come back after 0s: give a time above 0\n")
}
