// Package ferret has a server that speaks MongoDB's protocol, for tests and
// measures: FerretDB in this process, over a database of a PostgreSQL of its own.
//
// It stands for MongoDB in what it answers, not in how fast it does. Two things
// that FerretDB does otherwise are put right here, since a client relies on them:
// a document changes as a whole (FerretDB reads it and writes it back, so the
// server is given one command at a time that writes), and a document is found by
// its _id without looking at all others (by indexes that FerretDB does not make).
//
// Transactions, change streams, indexes with a time to live, $lookup and
// updates by pipelines are not to be had, and 100 updates in one command stop it.
package ferret

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"

	"github.com/FerretDB/FerretDB/ferretdb"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver of PostgreSQL

	"github.com/pando-sync/pando/internal/servers"
)

// Server is a FerretDB behind a gate.
type Server struct {
	postgres *servers.PostgresServer
	url      string
	end      context.CancelFunc
	ended    chan error
	gate     *gate
}

// connections is the number that FerretDB may have to PostgreSQL: one for each
// update of a command, and some for those who read.
const connections = "120"

// Start starts a server with a PostgreSQL of its own.
func Start(ctx context.Context) (s *Server, err error) {
	s = &Server{ended: make(chan error, 1)}
	if s.postgres, err = servers.Postgres(ctx, servers.PostgresOptions{}); err != nil {
		return nil, err
	}
	if err := s.start(ctx); err != nil {
		return nil, errors.Join(err, s.postgres.Close())
	}
	return s, nil
}

func (s *Server) start(ctx context.Context) error {
	// What is not known when a statement is prepared uses no index.
	if err := s.postgres.Exec(ctx, "ALTER DATABASE postgres SET plan_cache_mode = force_custom_plan"); err != nil {
		return err
	}
	u, err := url.Parse(s.postgres.URL())
	if err != nil {
		return err
	}
	s.url = u.String()
	q := u.Query()
	q.Set("pool_max_conns", connections)
	u.RawQuery = q.Encode()
	db, err := ferretdb.New(&ferretdb.Config{
		Listener: ferretdb.ListenerConfig{TCP: "127.0.0.1:0"}, Logger: slog.New(slog.DiscardHandler),
		Handler: "postgresql", PostgreSQLURL: u.String(),
	})
	if err != nil {
		return fmt.Errorf("make FerretDB: %w", err)
	}
	run, end := context.WithCancel(context.WithoutCancel(ctx))
	s.end = end
	go func() { s.ended <- db.Run(run) }()
	behind, err := url.Parse(db.MongoDBURI())
	if err != nil {
		return errors.Join(err, s.stop())
	}
	if s.gate, err = newGate(ctx, behind.Host); err != nil {
		return errors.Join(err, s.stop())
	}
	return nil
}

func (s *Server) stop() error {
	s.end()
	return <-s.ended
}

// URI is the server's address, without a database.
func (s *Server) URI() string { return "mongodb://" + s.gate.address + "/" }

// Tune makes the indexes that FerretDB does not, for the collections of a
// database that are there: by _id, and by a further field.
func (s *Server) Tune(ctx context.Context, database, field string) (err error) {
	db, err := sql.Open("pgx", s.url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, `SELECT table_name FROM information_schema.columns WHERE table_schema = $1 AND column_name = '_jsonb'`, database)
	if err != nil {
		return err
	}
	defer rows.Close()
	var tables []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, table := range tables {
		for _, name := range []string{"_id", field} {
			_, err := db.ExecContext(ctx, fmt.Sprintf(`CREATE INDEX ON %q.%q USING gin ((_jsonb->'%s') jsonb_path_ops) WITH (fastupdate = off)`, database, table, name))
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// Cut ends all connections, and refuses new ones until Mend.
func (s *Server) Cut() { s.gate.close() }

// Mend takes connections again, at the same address.
func (s *Server) Mend(ctx context.Context) error { return s.gate.open(ctx) }

// Close ends the server and removes its data.
func (s *Server) Close() error {
	s.gate.close()
	return errors.Join(s.stop(), s.postgres.Close())
}

// shared is the server that the tests of a process share.
var shared struct {
	sync.Mutex

	server *Server
}

// Shared returns the server that the tests of a process share, which CloseShared
// ends.
func Shared(ctx context.Context) (*Server, error) {
	shared.Lock()
	defer shared.Unlock()
	var err error
	if shared.server == nil {
		shared.server, err = Start(ctx)
	}
	return shared.server, err
}

// CloseShared ends the server of Shared, if there is one.
func CloseShared() error {
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil {
		return nil
	}
	s := shared.server
	shared.server = nil
	return s.Close()
}
