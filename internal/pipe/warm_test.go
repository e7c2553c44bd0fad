package pipe_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pando-sync/pando/cache"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/internal/memdb"
	"github.com/pando-sync/pando/internal/pipe"
	"github.com/pando-sync/pando/schema"
)

// inCluster runs a test with nodes that share a cache, all of whose calls
// succeed. Their boards have a stack each, with a card and an owner.
func inCluster(t *testing.T, boards int, test func(*cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(t, rand.New(rand.NewPCG(1, 1)))
		c.plain = true
		var changes []feed.Change
		for id := range int64(boards) {
			changes = append(changes,
				c.put("boards", "id", id, "name", "a", "owner_id", int64(1)),
				c.put("stacks", "id", id, "name", "a", "board_id", id),
				c.put("cards", "id", id, "title", "a", "hidden", false, "stack_id", id),
			)
		}
		c.write(append(changes, c.put("people", "id", int64(1), "name", "a"))...)
		defer func() {
			for len(c.nodes) > 0 {
				c.end(c.nodes[0], false)
			}
		}()
		test(c)
	})
}

func (c *cluster) put(table string, values ...any) feed.Change {
	c.t.Helper()
	t := c.reg.Tables[slices.IndexFunc(c.reg.Tables, func(t *schema.Table) bool { return t.Name == table })]
	row := make(schema.Row, len(t.Columns))
	for i := 0; i < len(values); i += 2 {
		at := slices.IndexFunc(t.Columns, func(c schema.Column) bool { return c.Name == values[i] })
		switch v := values[i+1].(type) {
		case int64:
			row[at] = schema.IntValue(v)
		case bool:
			row[at] = schema.BoolValue(v)
		case string:
			row[at] = schema.TextValue(v)
		}
	}
	return memdb.Put(t, row)
}

// write commits changes.
func (c *cluster) write(changes ...feed.Change) {
	c.note(c.db.Commit(changes...))
	c.db.Pending()
}

// board is the request of a board.
func (c *cluster) board(id int64) pipe.Request {
	r := pipe.Request{Subscriber: silent{}}
	r.Key.Tree, r.Key.Anchor, r.Key.Env = c.trees[0], schema.IntValue(id), schema.TupleValue(schema.TextValue("a"))
	return r
}

// states are the states of all entries, with how many are in each.
func (c *cluster) states() string {
	c.t.Helper()
	n := map[cache.State]int{}
	err := c.mem.List(c.t.Context(), cache.Filter{}, func(e cache.Entry) error {
		n[e.State]++
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Sprint(n)
}

func (c *cluster) expect(what, got, want string) {
	c.t.Helper()
	if got != want {
		c.t.Errorf("%s: %s, want %s", what, got, want)
	}
}

// TestWarmOpening opens a thousand anchors on a node that has just started,
// without a query, after some of them have changed.
func TestWarmOpening(t *testing.T) {
	const boards = 1000
	inCluster(t, boards, func(c *cluster) {
		first := c.start()
		var all []*pipe.Attachment
		for id := range int64(boards) {
			a, err := first.Open(first.ctx, c.board(id))
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, a)
		}
		<-time.After(10 * time.Second)
		c.expect("while all are shown", c.states(), "map[HOT:1000]")
		for id := range int64(boards / 2) {
			c.write(c.put("cards", "id", 5000+id, "title", "new", "hidden", false, "stack_id", id, "assignee_id", int64(1)))
		}
		first.deliver(len(c.log))
		<-time.After(time.Second)
		for _, a := range all {
			first.Close(a)
		}
		c.end(first, false)
		c.write(c.put("cards", "id", int64(5001), "title", "newer", "hidden", false, "stack_id", int64(1)))

		second := c.start()
		before := c.db.Queries()
		for id := range int64(boards) {
			a, err := second.Open(second.ctx, c.board(id))
			if err != nil {
				t.Fatal(err)
			}
			all[id] = a
		}
		if n := c.db.Queries() - before; n != 0 {
			t.Errorf("a thousand anchors were opened with %d queries", n)
		}
		for id := range int64(boards) {
			if id%50 == 1 {
				c.check(second, c.board(id))
			}
			second.Close(all[id])
		}
	})
}

// TestEntryOfAScope goes through the states of an entry.
func TestEntryOfAScope(t *testing.T) {
	inCluster(t, 1, func(c *cluster) {
		n := c.start()
		open := func() *pipe.Attachment {
			a, err := n.Open(n.ctx, c.board(0))
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		queries := c.db.Queries
		a := open()
		<-time.After(time.Second)
		c.expect("after it was opened", c.states(), "map[HOT:1]")
		n.Close(a)
		<-time.After(time.Second)
		c.expect("after it was closed", c.states(), "map[COOLING:1]")
		before := queries()
		a = open()
		<-time.After(time.Second)
		c.expect("after somebody came back", c.states(), "map[HOT:1]")
		n.Close(a)
		<-time.After(4 * time.Minute)
		n.Close(open())
		if queries() != before {
			t.Errorf("what was cooling was opened with %d queries", queries()-before)
		}
		<-time.After(6 * time.Minute)
		c.expect("after its time", c.states(), "map[]")
		n.Close(open())
		if queries() == before {
			t.Error("a cold scope was opened without a query")
		}
	})
}

// TestEntryOfADeadNode is taken over by the next who shows the scope, and cools
// when nobody does.
func TestEntryOfADeadNode(t *testing.T) {
	inCluster(t, 2, func(c *cluster) {
		first, second := c.start(), c.start()
		for id := range int64(2) {
			if _, err := first.Open(first.ctx, c.board(id)); err != nil {
				t.Fatal(err)
			}
		}
		<-time.After(time.Second)
		if _, err := second.Open(second.ctx, c.board(0)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if held := second.cache.Stats().Held; held != 0 {
			t.Errorf("the second node holds %d entries that the first one holds", held)
		}
		c.end(first, true)
		c.write(c.put("boards", "id", int64(0), "name", "b"))
		second.deliver(1)
		<-time.After(time.Minute)
		if held := second.cache.Stats().Held; held != 1 {
			t.Errorf("the second node holds %d entries, want the one that it shows", held)
		}
		c.expect("after a minute", c.states(), "map[HOT:2]")
		<-time.After(20 * time.Minute)
		c.expect("after some time", c.states(), "map[HOT:1]")
	})
}

// TestLastBeat writes what is left when a node ends, and says that it is gone.
func TestLastBeat(t *testing.T) {
	inCluster(t, 1, func(c *cluster) {
		first := c.start()
		if _, err := first.Open(first.ctx, c.board(0)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		c.write(c.put("boards", "id", int64(0), "name", "late"))
		first.deliver(1)
		c.end(first, false)
		second := c.start()
		before := c.db.Queries()
		if _, err := second.Open(second.ctx, c.board(0)); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if held := second.cache.Stats().Held; held != 1 || c.db.Queries() != before {
			t.Errorf("%d entries are held, after %d queries", held, c.db.Queries()-before)
		}
		c.check(second, c.board(0))
	})
}

// TestBrokenCache costs at most its bounds, and is used again when it answers.
func TestBrokenCache(t *testing.T) {
	inCluster(t, 40, func(c *cluster) {
		n := c.start()
		c.break_(100)
		began := time.Now()
		for id := range int64(40) {
			n.Close(c.open(n, id))
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("40 scopes were opened beside a broken cache in %v", took)
		}
		if s := n.cache.Stats(); s.Opened != 0 || s.Held != 0 {
			t.Errorf("a broken cache has done %+v", s)
		}
		c.break_(0)
		<-time.After(time.Minute)
		n.Close(c.open(n, 1))
		<-time.After(time.Second)
		c.expect("after it answers", c.states(), "map[COOLING:1]")
	})
}

func (c *cluster) open(n *node, id int64) *pipe.Attachment {
	c.t.Helper()
	a, err := n.Open(n.ctx, c.board(id))
	if err != nil {
		c.t.Fatal(err)
	}
	return a
}

// TestOverflow leaves the entries as they are when more changes than may wait.
func TestOverflow(t *testing.T) {
	inCluster(t, 3, func(c *cluster) {
		c.pending = 10
		n := c.start()
		for id := range int64(3) {
			c.open(n, id)
		}
		<-time.After(time.Second)
		if held := n.cache.Stats().Held; held != 3 {
			t.Fatalf("%d entries are held", held)
		}
		for i := range int64(20) {
			c.write(c.put("cards", "id", 100+i, "title", "a", "hidden", false, "stack_id", i%3))
		}
		n.deliver(20)
		<-time.After(time.Second)
		if s := n.cache.Stats(); s.Held != 0 || s.Pending != 0 {
			t.Errorf("after too many changes: %+v", s)
		}
		<-time.After(time.Minute)
		if held := n.cache.Stats().Held; held != 3 {
			t.Errorf("a minute later %d entries are held", held)
		}
		for id := range int64(3) {
			c.check(n, c.board(id))
		}
	})
}

// TestExpiryRests has nobody open what was written before the memory expired.
func TestExpiryRests(t *testing.T) {
	inCluster(t, 2, func(c *cluster) {
		first, second := c.start(), c.start()
		c.open(first, 0)
		<-time.After(time.Second)
		// Nobody tells of this change.
		row := slices.Clone(c.db.Row(c.reg.Tables[0], schema.IntValue(0)))
		row[1] = schema.TextValue("secret")
		c.db.Commit(memdb.Put(c.reg.Tables[0], row))
		c.db.Pending()
		for _, n := range c.nodes {
			n.source.sink.Advance(2)
			n.shadow.Commit(memdb.Put(c.reg.Tables[0], row))
		}
		for _, n := range c.nodes {
			if err := n.Expire(n.ctx); err != nil {
				t.Fatal(err)
			}
			c.check(n, c.board(0))
			<-time.After(time.Second)
		}
		<-time.After(10 * time.Second)
		c.check(first, c.board(0))
		c.check(second, c.board(0))
		<-time.After(2 * time.Second)
		c.check(first, c.board(0))
	})
}
