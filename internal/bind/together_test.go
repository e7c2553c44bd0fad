package bind_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/bind"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/internal/write"
	"github.com/pando-sync/pando/token"
)

// TestTheRowIsLockedWhilePermissionIsAsked has many raise a number that permission
// bounds: each sees what the one before has left.
func TestTheRowIsLockedWhilePermissionIsAsked(t *testing.T) {
	const most, many = 5, 12
	onEach(t, func(t *testing.T, open func(*bind.Spec) *desk) {
		spec := articles()
		spec.Permit = func(_ context.Context, _ token.Identity, _ bind.Op, before, _ any) (bool, error) {
			return before.(*article).Stars < most, nil
		}
		spec.Update = func(ctx context.Context, _ token.Identity, key any, _ *write.Change) error {
			_, err := txOf(ctx).ExecContext(ctx, "UPDATE articles SET stars = stars + 1 WHERE id = $1", key)
			return err
		}
		d := open(spec)
		var all sync.WaitGroup
		codes := make(chan string, many)
		for range many {
			all.Go(func() {
				_, err := d.send(`{"action":"update","pk":1,"data":{}}`)
				codes <- code(err)
			})
		}
		all.Wait()
		close(codes)
		counts := map[string]int{}
		for c := range codes {
			counts[c]++
		}
		if counts[""] != most-1 || counts["denied"] != many-most+1 {
			t.Errorf("the answers were %v: want %d that were done and the others denied", counts, most-1)
		}
		if got := d.value("SELECT stars FROM articles WHERE id = 1"); got != strconv.Quote(strconv.Itoa(most)) {
			t.Errorf("the number is %s", got)
		}
	})
}

// sink keeps what a feed delivers.
type sink struct {
	started chan struct{}
	changes chan feed.Change
}

func (s *sink) Start(string, feed.Position, string) { close(s.started) }

func (s *sink) Commit(c *feed.Commit) {
	for _, change := range c.Changes {
		s.changes <- change
	}
}

func (s *sink) Advance(feed.Position) {}
func (s *sink) Stall(string)          {}

// follow runs the feed until the test ends.
func (d *desk) follow() *sink {
	d.t.Helper()
	s := &sink{make(chan struct{}), make(chan feed.Change, 100)}
	ctx, stop := context.WithCancel(d.t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.source.Run(ctx, s); err != nil && !errors.Is(err, context.Canceled) {
			d.t.Error(err)
		}
	})
	d.t.Cleanup(func() { stop(); running.Wait() })
	<-s.started
	return s
}

// TestWhatIsRolledBackIsToldToNobody follows the feed over writes that are refused
// after their statements were made.
func TestWhatIsRolledBackIsToldToNobody(t *testing.T) {
	onEach(t, func(t *testing.T, open func(*bind.Spec) *desk) {
		spec := articles()
		spec.Update = func(ctx context.Context, _ token.Identity, key any, c *write.Change) error {
			if _, err := txOf(ctx).ExecContext(ctx, "UPDATE articles SET stars = 4 WHERE id = $1", key); err != nil {
				return err
			}
			if c.Has("title") {
				return errors.New("after the statement")
			}
			return nil
		}
		d := open(spec)
		told := d.follow()
		if _, err := d.send(`{"action":"update","pk":1,"data":{"title":"lost"}}`); err == nil {
			t.Fatal("it was not refused")
		}
		d.again.Store(1)
		if _, err := d.send(`{"action":"update","pk":2,"data":{}}`); err != nil {
			t.Fatal(err)
		}
		if got, err := d.send(`{"action":"create","data":{"title":"end"}}`); err != nil {
			t.Fatal(got, err)
		}
		for _, want := range []string{"second", "end"} {
			c := <-told.changes
			row, err := d.model.Encode(c.New)
			if err != nil {
				t.Fatal(err)
			}
			if title := member(t, row, "title"); title != want {
				t.Errorf("the feed tells of %s, want %s", row, want)
			}
		}
	})
}

// TestWhatTheDatabaseDoesNotTakeIsAFault sends a text to a column of numbers.
func TestWhatTheDatabaseDoesNotTakeIsAFault(t *testing.T) {
	servers.Need(t, "postgres")
	d := onPostgres(t, articles())
	for _, price := range []string{"abc", "1e99"} {
		_, err := d.send(`{"action":"update","pk":1,"data":{"price":"` + price + `"}}`)
		if code(err) != "invalid" {
			t.Errorf("%s: the error is %v", price, err)
		}
	}
}

// TestACommitThatIsRefusedHasNoReply meets a constraint that is looked at in the end.
func TestACommitThatIsRefusedHasNoReply(t *testing.T) {
	servers.Need(t, "postgres")
	d := onPostgres(t, articles())
	d.exec("ALTER TABLE articles DROP CONSTRAINT articles_title_key, ADD CONSTRAINT late UNIQUE (title) DEFERRABLE INITIALLY DEFERRED")
	for _, payload := range []string{`{"action":"create","data":{"title":"first"}}`, `{"action":"update","pk":2,"data":{"title":"first"}}`} {
		before := d.dump()
		reply, err := d.send(payload)
		if code(err) != "conflict" || reply != "" || d.dump() != before {
			t.Errorf("%s: the reply is %s, the error %v", payload, reply, err)
		}
	}
}
