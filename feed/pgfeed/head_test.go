package pgfeed

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/pando-sync/pando/feed"
)

// TestWake writes messages only for positions that somebody waits for and that the
// feed does not pass by itself, one for all who wait at once.
func TestWake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var w wake
		head, emitted, failing := feed.Position(100), 0, 0
		emit := func(context.Context) (feed.Position, error) {
			if failing > 0 {
				failing--
				return 0, errors.New("away")
			}
			emitted++
			head += 10
			return head, nil
		}
		expect := func(what string, want int) {
			t.Helper()
			<-time.After(time.Minute)
			synctest.Wait()
			if emitted != want {
				t.Errorf("%s: %d messages, want %d", what, emitted, want)
			}
		}
		for p := range feed.Position(50) {
			w.want(50+p, emit)
		}
		expect("many at once", 1)
		w.passed(200)
		w.want(200, emit)
		expect("what has come", 1)
		head = 300
		w.want(250, emit)
		w.passed(250)
		expect("what comes by itself", 1)
		w.want(330, emit)
		expect("what is far ahead", 4)
		failing = 5
		w.want(340, emit)
		expect("after errors", 5)
		w.passed(20) // of another history
		w.want(21, emit)
		expect("what came in another history", 6)
		w.want(1000, emit)
		w.close()
		w.want(2000, emit)
		expect("closed", 6)
	})
}

func TestPermanent(t *testing.T) {
	refused := func(code, message string) error {
		return fmt.Errorf("follow: %w", &pgconn.PgError{Code: code, Message: message})
	}
	for _, c := range []struct {
		err  error
		want bool
	}{
		{refused("42501", "must be superuser or replication role to start walsender"), true},
		{refused(codeNotReady, `logical decoding requires wal_level >= logical`), true},
		{refused(codeNotReady, `cannot read from logical replication slot "pando_x"`), false},
		{refused("57P01", "terminating connection due to administrator command"), false},
		{refused("53300", "number of requested standby connections exceeds max_wal_senders"), false},
		{&undecodableError{errGarbage}, true},
		{&restartError{"another epoch"}, false},
		{errDead, false},
	} {
		if permanent(c.err) != c.want {
			t.Errorf("%v is permanent: %t", c.err, !c.want)
		}
		if c.want && mended(c.err).Error() == "" {
			t.Errorf("%v has no text", c.err)
		}
	}
}

// TestPasses tells what is wrong with a server from what is with the tables.
func TestPasses(t *testing.T) {
	refused := func(code string) error { return fmt.Errorf("set up: %w", &pgconn.PgError{Code: code}) }
	for _, c := range []struct {
		err  error
		want bool
	}{
		{mismatchf("table %q does not exist", "x"), false},
		{errors.Join(refused("53300"), mismatchf("table %q does not exist", "x")), false},
		{refused("42501"), false},
		{refused("42883"), false},
		{refused("53300"), true},
		{refused("57P03"), true},
		{fmt.Errorf("connect: %w", io.EOF), true},
	} {
		if passes(c.err) != c.want {
			t.Errorf("%v passes: %t", c.err, !c.want)
		}
	}
}
