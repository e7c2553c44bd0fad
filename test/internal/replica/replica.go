// Package replica tells every state that a PostgreSQL database had, in the order
// of its commits: it follows the database's log by a slot of its own, and applies
// what comes to tables in memory. It shares no code with the library.
package replica

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/pando-sync/pando/test/internal/model"
	"github.com/pando-sync/pando/test/internal/oracle"
)

// Commit is one transaction that has changed a table.
type Commit struct {
	// Data is what the database holds after it; its Head is the LSN of the commit.
	Data *oracle.Data
	// Transaction is its number.
	Transaction uint32
	// Entered are the rows that it has inserted into the ledger.
	Entered [][]string
}

// Ledger is a table whose rows are told with the commits.
const Ledger = "sim_ledger"

// Replica follows one database.
type Replica struct {
	url    string
	schema *model.Schema
	tell   func(Commit)
	stop   context.CancelFunc
	done   chan struct{}

	// What follows is used by run alone.
	relations map[uint32]*relation
	current   *Commit
	changed   map[string]map[string]oracle.Row
	data      *oracle.Data

	mu sync.Mutex // guards what follows
	// passed is how much of the log has been seen, seen the transactions that were.
	passed uint64
	seen   map[uint32]bool
	moved  chan struct{} // closed and replaced as they grow
	failed error
}

const publication = "sim_replica"

// Start makes a slot and follows it until Close. The tables of the schema and the
// ledger must be there, and empty. tell gets the commits in their order, from one
// goroutine.
func Start(ctx context.Context, url string, s *model.Schema, tell func(Commit)) (*Replica, error) {
	names := []string{Ledger}
	tables := map[string][]oracle.Row{}
	for _, t := range s.Tables {
		names, tables[t.Name] = append(names, t.Name), nil
	}
	conn, err := connect(ctx, url)
	if err != nil {
		return nil, err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, sql := range []string{
		"CREATE PUBLICATION " + publication + " FOR TABLE " + strings.Join(names, ", "),
		"CREATE_REPLICATION_SLOT " + slot(url) + " LOGICAL pgoutput (SNAPSHOT 'nothing')",
	} {
		if _, err := conn.Exec(ctx, sql).ReadAll(); err != nil {
			return nil, fmt.Errorf("replica: %s: %w", sql, err)
		}
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r := &Replica{
		url: url, schema: s, tell: tell, stop: stop, done: make(chan struct{}), data: oracle.New(s, tables, 0),
		seen: map[uint32]bool{}, moved: make(chan struct{}),
	}
	go r.run(ctx)
	return r, nil
}

func connect(ctx context.Context, url string) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	maps.Copy(config.RuntimeParams, map[string]string{
		"replication": "database", "application_name": "sim_replica", "timezone": "UTC", "datestyle": "ISO", "extra_float_digits": "3",
		"wal_sender_timeout": "0",
	})
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("replica: %w", err)
	}
	return conn, nil
}

// Close ends the following. The slot stays.
func (r *Replica) Close() {
	r.stop()
	<-r.done
}

// Passed waits until all is told that was committed before the log was as long as
// that.
func (r *Replica) Passed(ctx context.Context, lsn uint64) error {
	return r.wait(ctx, func() bool { return r.passed >= lsn })
}

// Told is Passed, but for one transaction it may return sooner: when that is told.
func (r *Replica) Told(ctx context.Context, transaction uint32, lsn uint64) error {
	return r.wait(ctx, func() bool { return r.seen[transaction] || r.passed >= lsn })
}

func (r *Replica) wait(ctx context.Context, done func() bool) error {
	for {
		r.mu.Lock()
		is, moved, failed := done(), r.moved, r.failed
		r.mu.Unlock()
		switch {
		case failed != nil:
			return failed
		case is:
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("replica: wait for the log: %w", context.Cause(ctx))
		}
	}
}

func (r *Replica) move(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
	close(r.moved)
	r.moved = make(chan struct{})
}

// run follows, over one connection after the other.
func (r *Replica) run(ctx context.Context) {
	defer close(r.done)
	for ctx.Err() == nil {
		err := r.follow(ctx)
		if wrong, ok := errors.AsType[*protocolError](err); ok {
			r.move(func() { r.failed = wrong })
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond): // the server is away, or has not yet seen that we were
		}
	}
}

// protocolError is what is wrong with what the log says.
type protocolError struct{ error }

// follow follows over one connection until that breaks.
func (r *Replica) follow(ctx context.Context) error {
	conn, err := connect(ctx, r.url)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	r.relations, r.current = map[uint32]*relation{}, nil
	conn.Frontend().Send(&pgproto3.Query{String: "START_REPLICATION SLOT " + slot(r.url) + " LOGICAL 0/0 (proto_version '1', publication_names '" + publication + "')"})
	if err := conn.Frontend().Flush(); err != nil {
		return err
	}
	for {
		m, err := receive(ctx, conn)
		if err != nil {
			return err
		}
		switch m := m.(type) {
		case *pgproto3.ErrorResponse:
			return pgconn.ErrorResponseToPgError(m)
		case *pgproto3.CopyData:
			if err := r.take(m.Data); err != nil {
				return &protocolError{err}
			}
		case nil: // nothing has come for a while
			if err := r.ask(conn); err != nil {
				return err
			}
		default:
		}
	}
}

// quiet is how long nothing comes before the server is asked.
const quiet = 10 * time.Millisecond

func receive(ctx context.Context, conn *pgconn.PgConn) (pgproto3.BackendMessage, error) {
	short, cancel := context.WithTimeout(ctx, quiet)
	defer cancel()
	m, err := conn.ReceiveMessage(short)
	if err != nil && pgconn.Timeout(err) && ctx.Err() == nil {
		return nil, nil
	}
	return m, err
}

// take takes one message of the stream: a piece of the log, or how far it is.
func (r *Replica) take(m []byte) error {
	switch m[0] {
	case 'k':
		at := binary.BigEndian.Uint64(m[1:])
		r.move(func() { r.passed = max(r.passed, at) })
		return nil
	case 'w':
		return r.apply(m[25:])
	default:
		return fmt.Errorf("replica: a message %q", m[0])
	}
}

// ask tells how far the log is known, and asks how far it is.
func (r *Replica) ask(conn *pgconn.PgConn) error {
	r.mu.Lock()
	passed := r.passed
	r.mu.Unlock()
	m := binary.BigEndian.AppendUint64([]byte{'r'}, passed)
	m = binary.BigEndian.AppendUint64(m, passed)
	m = binary.BigEndian.AppendUint64(m, passed)
	m = append(binary.BigEndian.AppendUint64(m, 0), 1)
	conn.Frontend().Send(&pgproto3.CopyData{Data: m})
	return conn.Frontend().Flush()
}

// slot is named for the database: a server's slots have one name each.
func slot(url string) string {
	_, name, _ := strings.Cut(strings.TrimPrefix(url, "postgres://"), "/")
	name, _, _ = strings.Cut(name, "?")
	return "sim_" + name
}

// ParseLSN reads an LSN as PostgreSQL writes it.
func ParseLSN(text string) (uint64, error) {
	high, low, _ := strings.Cut(text, "/")
	h, err := strconv.ParseUint(high, 16, 32)
	l, failed := strconv.ParseUint(low, 16, 32)
	return h<<32 | l, errors.Join(err, failed)
}
