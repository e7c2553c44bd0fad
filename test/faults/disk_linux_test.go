package faults_test

import (
	"database/sql"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// small mounts a file system of so many bytes, in memory, and has servers of the
// test keep their data there.
func small(t *testing.T, options string) (folder string) {
	t.Helper()
	folder, err := os.MkdirTemp("", "pando-small-") //nolint:usetesting // the parents of t.TempDir do not let servers in
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, func() error { return os.Remove(folder) })
	if err := syscall.Mount("pando", folder, "tmpfs", 0, options); err != nil {
		if errors.Is(err, syscall.EPERM) && os.Getenv("CI") != "true" {
			t.Skip("a small disk is mounted by root alone")
		}
		t.Fatalf("mount a small disk: %v", err)
	}
	atEnd(t, func() error { return syscall.Unmount(folder, syscall.MNT_DETACH) })
	if err := os.Chmod(folder, 0o777); err != nil { // servers are other users
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", folder)
	return folder
}

// TestDiskIsFull fills PostgreSQL's disk: writers are refused, or the server ends,
// and clients show what was committed; they go on when there is room.
func TestDiskIsFull(t *testing.T) {
	for name, large := range map[string]string{
		"data": "INSERT INTO heap SELECT repeat(md5(i::text), 100) FROM generate_series(1, 3000) i",
		// The next write needs another file of the server's log.
		"log": "SELECT pg_switch_wal()",
	} {
		t.Run(name, func(t *testing.T) {
			folder := small(t, "size=256m")
			server := private(t, nil)
			b := newBooks(t, server)
			f := serve(t, newNode(t, b.alone()).run(t))
			w := b.watch(t, f, 1)
			w.shows(t, 0)
			b.turn(t, 1)
			w.shows(t, 1)
			b.exec(t, "CREATE TABLE heap (text text)")
			t.Logf("a writer is told: %v", b.drown(t, folder, large))
			if server.Exec(t.Context(), "SELECT 1") != nil {
				server.Kill() // it gave up for want of room for its log
				if err := server.Start(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			b.eventually(t, 1)
			w.agrees(t)
			f.health(t, http.StatusOK)
		})
	}
}

// TestDiskIsFullUnderSQLite does the same to a file.
func TestDiskIsFullUnderSQLite(t *testing.T) {
	folder := small(t, "size=8m")
	db, err := sql.Open("sqlite", pandotest.DSN(filepath.Join(folder, "books.db")))
	if err != nil {
		t.Fatal(err)
	}
	atEnd(t, db.Close)
	b := &books{db: db}
	b.fill(t)
	n := &node{log: &journal{}}
	logger := slog.New(slog.NewTextHandler(n.log, nil))
	n.declare(t, sqlitefeed.New(db), nil, logger)
	f := serve(t, n.run(t))
	w := b.watch(t, f, 1)
	w.shows(t, 0)
	b.turn(t, 1)
	w.shows(t, 1)
	b.exec(t, "CREATE TABLE heap (text text)")
	refused := b.drown(t, folder, "INSERT INTO heap VALUES (hex(randomblob(100000)))")
	if !strings.Contains(refused.Error(), "full") {
		t.Errorf("a writer is told: %v", refused)
	}
	b.eventually(t, 1)
	w.agrees(t)
	f.health(t, http.StatusOK)
}

// drown fills the disk, writes until a writer is refused, and makes room again. A
// turn and something large of another table are written by turns.
func (b *books) drown(t *testing.T, folder, large string) (refused error) {
	t.Helper()
	ballast := filepath.Join(folder, "ballast")
	fill(t, ballast)
	until(t, "the disk is full", func() bool {
		if refused = b.try(t.Context(), 1); refused == nil {
			_, refused = b.db.ExecContext(t.Context(), large)
		}
		return refused != nil
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	return refused
}

// fill writes a file until no more goes in.
func fill(t *testing.T, name string) {
	t.Helper()
	file, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	block := []byte(strings.Repeat("ballast ", 8<<10))
	for err == nil {
		_, err = file.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}
