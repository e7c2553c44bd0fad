package relay_test

import (
	"database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/broker/membroker"
	"github.com/pando-sync/pando/broker/natsbroker"
	"github.com/pando-sync/pando/broker/redisbroker"
	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/feedtest"
	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/feed/relay"
	"github.com/pando-sync/pando/internal/servers"
	"github.com/pando-sync/pando/schema"
)

var discard = slog.New(slog.DiscardHandler)

// brokers open the stream of a name as a node has it, each by a way of its own.
var brokers = map[string]func(t testing.TB) (open func(t testing.TB, name string) broker.Stream){
	"memory": func(t testing.TB) func(testing.TB, string) broker.Stream {
		stream, err := membroker.NewStream(broker.StreamConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return func(testing.TB, string) broker.Stream { return stream.Join() }
	},
	"nats":  func(t testing.TB) func(testing.TB, string) broker.Stream { return onNATS(servers.SharedNATS(t)) },
	"redis": func(t testing.TB) func(testing.TB, string) broker.Stream { return onRedis(servers.SharedRedis(t)) },
}

func onNATS(s *servers.NATSServer) func(testing.TB, string) broker.Stream {
	return func(t testing.TB, name string) broker.Stream {
		b, err := natsbroker.New(natsbroker.Config{URL: s.URL(), Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		closeAtEnd(t, b)
		stream, err := b.Stream(name, broker.StreamConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
}

func onRedis(s *servers.RedisServer) func(testing.TB, string) broker.Stream {
	return func(t testing.TB, name string) broker.Stream {
		b, err := redisbroker.New(redisbroker.Config{Hosts: []string{s.URL()}, Logger: discard})
		if err != nil {
			t.Fatal(err)
		}
		closeAtEnd(t, b)
		stream, err := b.Stream(name, broker.StreamConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return stream
	}
}

func closeAtEnd(t testing.TB, b broker.Broker) {
	t.Helper()
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Errorf("close the broker: %v", err)
		}
	})
}

// dialect is what the cases of feedtest that are run here need to know.
var dialect = feedtest.Dialect{
	Types: map[schema.Kind]string{
		schema.Bool: "boolean", schema.Int: "bigint", schema.Float: "double precision", schema.Text: "text",
		schema.UUID: "uuid", schema.Time: "timestamptz", schema.Bytes: "bytea", schema.JSON: "jsonb",
	},
	Serial:   "bigserial PRIMARY KEY",
	Numbered: true, Concurrent: true, Restless: true, Lasting: true,
}

// stack is a fresh database of PostgreSQL whose sources follow it by a broker.
func stack(t testing.TB, connect func(testing.TB) func(testing.TB, string) broker.Stream) feedtest.Harness {
	t.Helper()
	dsn := servers.Database(t)
	parsed, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Trim(parsed.Path, "/")
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	open := connect(t)
	return feedtest.Harness{
		DB: db,
		Open: func(t testing.TB) feed.Source {
			source, err := pgfeed.Open(dsn, pgfeed.WithLogger(discard))
			if err != nil {
				t.Fatal(err)
			}
			return relay.New(source, open(t, name), relay.WithLogger(discard))
		},
		Dialect: dialect,
		Large:   20_000,
	}
}

// TestPostgres runs what depends on the way of the commits of feedtest's suite,
// on PostgreSQL by each broker.
func TestPostgres(t *testing.T) {
	for name, connect := range brokers {
		cases := []string{"Changes", "Large", "Join"}
		if name == "memory" {
			cases = append(cases, "Setup", "Kinds", "Keys", "Order", "TwoSources", "Cancel")
		}
		t.Run(name, func(t *testing.T) {
			feedtest.RunOnly(t, func(t testing.TB) feedtest.Harness { return stack(t, connect) }, cases...)
			feedtest.RunWriterOnly(t, func(t testing.TB) feedtest.Harness { return stack(t, connect) }, "OneCommit")
		})
	}
}

// TestPostgresRestart goes on in the epoch when all nodes were away, and tells,
// after where it starts, what was committed meanwhile.
func TestPostgresRestart(t *testing.T) {
	h := stack(t, brokers["memory"])
	createItems(t, h.DB)
	fed := feedtest.State{}
	var epoch string
	for round := range 3 {
		insert(t, h.DB, 2*round)
		source := openNode(t, h)
		r, stop := feedtest.Record(t, source)
		insert(t, h.DB, 2*round+1)
		r.Reach(source)
		stop()
		start := r.Starts(1)[0]
		if round > 0 && start.Epoch != epoch {
			t.Errorf("the epoch was %s, and is %s after a restart", epoch, start.Epoch)
		}
		epoch = start.Epoch
		for _, c := range r.Commits() {
			fed.Catch(c)
		}
	}
	for id := range 6 {
		// The first row was there before anybody followed.
		if row := fed[stackItems][schema.IntValue(int64(id))]; row == nil && id > 0 {
			t.Errorf("row %d was not fed", id)
		}
	}
}

func createItems(t *testing.T, db *sql.DB) {
	t.Helper()
	if _, err := db.Exec("CREATE TABLE items (id bigint PRIMARY KEY, grp bigint NOT NULL, name text NOT NULL)"); err != nil {
		t.Fatal(err)
	}
}

func insert(t *testing.T, db *sql.DB, id int) {
	t.Helper()
	if _, err := db.Exec("INSERT INTO items VALUES ($1, 1, 'new')", id); err != nil {
		t.Fatal(err)
	}
}

// openNode opens a node that is set up, and that the test's end closes.
func openNode(t *testing.T, h feedtest.Harness) feed.Source {
	t.Helper()
	source := h.Open(t)
	t.Cleanup(func() {
		if err := source.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if err := source.Setup(t.Context(), []*schema.Table{stackItems}); err != nil {
		t.Fatal(err)
	}
	return source
}

// TestPostgresOwners takes the log from its owner again and again, ends owners,
// and begins with new nodes, while many write.
func TestPostgresOwners(t *testing.T) {
	for name, connect := range brokers {
		t.Run(name, func(t *testing.T) { testOwners(t, stack(t, connect)) })
	}
}

var stackItems = &schema.Table{Name: "items", Columns: []schema.Column{
	{Name: "id", Kind: schema.Int}, {Name: "grp", Kind: schema.Int}, {Name: "name", Kind: schema.Text},
}}

func testOwners(t *testing.T, h feedtest.Harness) {
	createItems(t, h.DB)
	type follower struct {
		source feed.Source
		*feedtest.Recorder
		stop func()
	}
	var followers []follower
	join := func() {
		source := openNode(t, h)
		recorder, stop := feedtest.Record(t, source)
		followers = append(followers, follower{source, recorder, stop})
	}
	join()
	join()
	join()
	first := followers[2] // which is never ended
	done := make(chan error, 2)
	quit := make(chan struct{})
	for w := range cap(done) {
		go func() { done <- writeItems(h.DB, uint64(w), quit) }()
	}
	for round := range 4 {
		const walsenders = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE backend_type = 'walsender' AND datname = current_database()"
		if _, err := h.DB.Exec(walsenders); err != nil {
			t.Fatal(err)
		}
		followers[len(followers)-1].Reach(followers[0].source)
		if round%2 == 0 {
			join()
			followers[0].stop()
			followers = followers[1:]
		}
		for _, f := range followers {
			f.Reach(f.source)
		}
	}
	close(quit)
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	for _, f := range followers {
		f.Reach(f.source)
		if starts := f.Starts(1); len(starts) > 1 {
			t.Errorf("started more than once: %+v", starts)
		}
	}
	compare(t, first.source, first.Recorder)
}

// writeItems writes until quit is closed.
func writeItems(db *sql.DB, seed uint64, quit chan struct{}) error {
	random := rand.New(rand.NewPCG(seed, 1))
	for {
		select {
		case <-quit:
			return nil
		default:
		}
		_, err := db.Exec("INSERT INTO items SELECT i, 1, $2 FROM generate_series($1::bigint, $1 + $3) i ON CONFLICT (id) DO UPDATE SET name = items.name || '.'",
			random.IntN(40), "new", random.IntN(3))
		if random.IntN(3) == 0 && err == nil {
			_, err = db.Exec("DELETE FROM items WHERE id = $1", random.IntN(40))
		}
		if err != nil && !strings.Contains(err.Error(), "deadlock") {
			return err
		}
	}
}

// compare compares what was fed since the beginning with what is read.
func compare(t *testing.T, source feed.Source, r *feedtest.Recorder) {
	t.Helper()
	state := feedtest.State{}
	for _, c := range r.Commits() {
		state.Follow(t, c)
	}
	snapshot, err := source.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if epoch := r.Starts(1)[0].Epoch; snapshot.Epoch() != epoch {
		t.Errorf("a snapshot has epoch %s, the feed %s", snapshot.Epoch(), epoch)
	}
	rows := 0
	err = snapshot.Rows(t.Context(), feed.Query{Table: stackItems, Column: 1, Values: []schema.Value{schema.IntValue(1)}}, func(row schema.Row) error {
		rows++
		if fed := state[stackItems][row[0]]; fed == nil || fed[2] != row[2] {
			t.Errorf("fed %v, but the row is %v", fed, row)
		}
		return nil
	})
	if err := errors.Join(err, snapshot.Close()); err != nil || rows != len(state[stackItems]) {
		t.Errorf("fed %d rows, read %d: %v", len(state[stackItems]), rows, err)
	}
}
