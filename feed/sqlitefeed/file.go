package sqlitefeed

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"

	"modernc.org/sqlite"
)

// maxIdle is how many connections for snapshots stay open.
const maxIdle = 4

// file is the database file and the idle connections that read it. It is safe
// for concurrent use.
type file struct {
	path string
	// driver opens our connections. It is the author's unless that is
	// modernc's, wrapped or not: two builds of SQLite in one process do not
	// see each other's locks and would corrupt the file.
	driver driver.Driver

	// mu guards the rest.
	mu   sync.Mutex
	idle []*conn
	// info tells the file from another one that takes its path.
	info os.FileInfo
	// turn counts the files that were at the path.
	turn   int
	closed bool
}

// locate asks the author's handle for its file.
func locate(ctx context.Context, db *sql.DB) (*file, error) {
	path, err := databasePath(ctx, db)
	if err != nil {
		return nil, err
	}
	if path == "" {
		return nil, errors.New("the database is in memory, where no other connection can follow it: open a file, for tests one in t.TempDir()")
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("find the database file: %w", err)
	}
	return &file{path: path, driver: driverFor(db, path), info: info}, nil
}

// driverFor returns the driver by which to open the file that db has open.
func driverFor(db *sql.DB, path string) driver.Driver {
	author := db.Driver()
	if _, ok := author.(*sqlite.Driver); ok {
		return author
	}
	if _, ok := hooked.Load(path); ok { // modernc's in a wrapper that would trace every poll
		return moderncDriver()
	}
	return author
}

func moderncDriver() driver.Driver {
	connector, err := sqlite.NewConnector("")
	if err != nil {
		panic(err) // the name is constant
	}
	return connector.Driver()
}

// ownMark in a data source name tells our connections from the author's.
const ownMark = "pando=own"

// open opens a connection to the file, which must exist.
func (f *file) open(ctx context.Context, readOnly bool) (*conn, error) {
	dsn := url.URL{Scheme: "file", OmitHost: true, Path: f.path, RawQuery: ownMark + "&mode=rw"}
	raw, err := f.driver.Open(dsn.String())
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.path, err)
	}
	c, err := newConn(ctx, raw, readOnly)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", f.path, err)
	}
	return c, nil
}

func databasePath(ctx context.Context, db *sql.DB) (string, error) {
	rows, err := db.QueryContext(ctx, "PRAGMA database_list")
	if err != nil {
		return "", fmt.Errorf("ask the database for its file: is it SQLite? %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var number int
		var name, path sql.NullString
		if err := rows.Scan(&number, &name, &path); err != nil {
			return "", fmt.Errorf("ask the database for its file: %w", err)
		}
		if name.String == "main" {
			return path.String, nil
		}
	}
	return "", errors.Join(errors.New("ask the database for its file: it names none"), rows.Err())
}

// useWAL switches the database to WAL mode, in which readers and writers do
// not wait for each other.
func useWAL(ctx context.Context, c *conn) error {
	row := make([]driver.Value, 1)
	for {
		err := c.queryRow(ctx, "PRAGMA journal_mode=WAL", row)
		switch {
		case err == nil && strings.EqualFold(textIn(row[0]), "wal"):
			return nil
		case err == nil:
			return fmt.Errorf("switch the database to WAL mode: it stays in mode %v; is it on a network file system?", row[0])
		case !passing(err) || ctx.Err() != nil:
			return fmt.Errorf("switch the database to WAL mode: %w", err)
		}
		pause(ctx, retryAfter)
	}
}

// acquire returns a connection to read with, which release takes back.
func (f *file) acquire(ctx context.Context) (*conn, error) {
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil, errClosed
	}
	if n := len(f.idle); n > 0 {
		c := f.idle[n-1]
		f.idle = f.idle[:n-1]
		f.mu.Unlock()
		return c, nil
	}
	turn := f.turn
	f.mu.Unlock()
	c, err := f.open(ctx, true)
	if err != nil {
		return nil, err
	}
	c.turn = turn
	return c, nil
}

// release keeps c for the next acquire, unless it failed or enough are idle.
func (f *file) release(c *conn, failure error) {
	f.mu.Lock()
	keep := failure == nil && !f.closed && c.turn == f.turn && len(f.idle) < maxIdle
	if keep {
		f.idle = append(f.idle, c)
	}
	f.mu.Unlock()
	if !keep {
		c.close()
	}
}

// replaced tells whether another file has taken the path, and from then on
// reads that one. A connection that is in use goes on with the file that it
// opened.
func (f *file) replaced() (bool, error) {
	info, err := os.Stat(f.path)
	if err != nil {
		return false, fmt.Errorf("find the database file: %w", err)
	}
	f.mu.Lock()
	same := os.SameFile(f.info, info)
	var stale []*conn
	if !same {
		f.info, stale, f.idle = info, f.idle, nil
		f.turn++
	}
	f.mu.Unlock()
	closeAll(stale) //nolint:errcheck // of a file that is gone: nothing to mend
	return !same, nil
}

func (f *file) close() error {
	f.mu.Lock()
	f.closed = true
	idle := f.idle
	f.idle = nil
	f.mu.Unlock()
	return closeAll(idle)
}

func closeAll(conns []*conn) error {
	var errs []error
	for _, c := range conns {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}
