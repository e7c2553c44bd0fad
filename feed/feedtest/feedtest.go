// Package feedtest is the conformance suite of feed.Source and feed.Writer: what
// every source must do, whatever the database.
//
//	func TestConformance(t *testing.T) {
//		feedtest.Run(t, func(t testing.TB) feedtest.Harness { … })
//		feedtest.RunWriter(t, func(t testing.TB) feedtest.Harness { … })
//	}
//
// The suite writes through a plain *sql.DB, as an author's program or a
// stranger would, follows with the source, and compares: what the feed told
// with what a snapshot reads, row by row and value by value.
package feedtest

import (
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/schema"
)

// Harness is one fresh, empty database.
type Harness struct {
	// DB writes. It enforces foreign keys, is safe for concurrent use, and
	// waits for locks.
	DB *sql.DB
	// Open returns a new Source of the database. It may be called several
	// times; the suite closes each.
	Open    func(t testing.TB) feed.Source
	Dialect Dialect
	// Large is more changes than the source hands over at once.
	Large int
}

// Dialect is what differs in the SQL of databases.
type Dialect struct {
	// Types has the column type that a migration would choose for each kind.
	Types map[schema.Kind]string
	// Serial declares a column that is a primary key given by the database.
	Serial string
	// Numbered tells that parameters are $1, $2 instead of ?.
	Numbered bool
	// Concurrent tells that several transactions may write at once.
	Concurrent bool
	// Replace tells that REPLACE INTO exists.
	Replace bool
	// Restless tells that the head moves by itself, as that of a whole server.
	Restless bool
	// Lasting tells that an epoch outlasts the loss of continuity of a table.
	Lasting bool
	// Lossy makes the source lose continuity of a table, as a migration may.
	// It may be nil.
	Lossy func(t testing.TB, db *sql.DB, table string)
	// Values are extra values to store in a column of a kind, beyond those
	// that every database holds.
	Values map[schema.Kind][]any
	// Unstorable tells that the database cannot hold a value, as a text with the
	// character U+0000; nil for one that holds all.
	Unstorable func(v schema.Value) bool
	// Times are the layouts, by name, in which a program may store all times of
	// a column, each by what it stores for a time.
	Times map[string]func(time.Time) any
}

// testCase is one case of the suite.
type testCase struct {
	name string
	run  func(*testing.T, *fixture)
}

// cases are the suite.
var cases = []testCase{
	{"Changes", testChanges},
	{"Setup", testSetup},
	{"Kinds", testKinds},
	{"Keys", testKeys},
	{"Queries", testQueries},
	{"Tuples", testTuples},
	{"Conditions", testConditions},
	{"Times", testTimes},
	{"Large", testLarge},
	{"Order", testOrder},
	{"Join", testJoin},
	{"TwoSources", testTwoSources},
	{"Restart", testRestart},
	{"Lossy", testLossy},
	{"Cancel", testCancel},
}

// Run runs the suite of feed.Source. newHarness is called for every case.
func Run(t *testing.T, newHarness func(t testing.TB) Harness) { run(t, cases, newHarness) }

// RunOnly runs the named cases of the suite, for another way into a source that
// runs the whole of it already.
func RunOnly(t *testing.T, newHarness func(t testing.TB) Harness, names ...string) {
	t.Helper()
	run(t, casesNamed(t, cases, names), newHarness)
}

// RunWriter runs the suite of feed.Writer, which the harness's sources are.
// newHarness is called for every case.
func RunWriter(t *testing.T, newHarness func(t testing.TB) Harness) { run(t, writerCases, newHarness) }

// RunWriterOnly is RunOnly of the suite of feed.Writer.
func RunWriterOnly(t *testing.T, newHarness func(t testing.TB) Harness, names ...string) {
	t.Helper()
	run(t, casesNamed(t, writerCases, names), newHarness)
}

func run(t *testing.T, cases []testCase, newHarness func(t testing.TB) Harness) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, newFixture(t, newHarness(t))) })
	}
}

func casesNamed(t *testing.T, cases []testCase, names []string) (found []testCase) {
	t.Helper()
	for _, name := range names {
		i := slices.IndexFunc(cases, func(c testCase) bool { return c.name == name })
		if i < 0 {
			t.Fatalf("the suite has no case %q", name)
		}
		found = append(found, cases[i])
	}
	return found
}
