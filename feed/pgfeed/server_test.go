package pgfeed_test

import (
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pando-sync/pando/feed/pgfeed"
	"github.com/pando-sync/pando/schema"
)

// pooler stands for PgBouncer: it passes all on, but gives each connection a number
// of its own for the key by which its statements are cancelled.
func pooler(t *testing.T, dsn string) (through string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	server := u.Host
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { pool(client, server) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	u.Host = l.Addr().String()
	return u.String()
}

// pool serves one client until one of both sides ends.
func pool(client net.Conn, server string) {
	defer client.Close()
	to, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer to.Close()
	var up sync.WaitGroup
	up.Go(func() {
		io.Copy(to, client)
		to.Close()
	})
	defer up.Wait()
	defer client.Close()
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(to, head); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(to, body); err != nil {
			return
		}
		if head[0] == 'K' {
			binary.BigEndian.PutUint32(body, 1)
		}
		if _, err := client.Write(slices.Concat(head, body)); err != nil {
			return
		}
	}
}

// TestPooler refuses a pooler before the log, and bears one before the tables.
func TestPooler(t *testing.T) {
	db, dsn := freshDB(t, createItemTable)
	through := pooler(t, dsn)
	tables := []*schema.Table{itemTable}
	if err := pgfeed.New(db, through, quiet).Setup(t.Context(), tables); err == nil || !strings.Contains(err.Error(), "pooler") {
		t.Errorf("Setup with a replication URL through a pooler: %v", err)
	}
	source := pgfeed.New(openDB(t, through), dsn, quiet)
	defer func() {
		if err := source.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := source.Setup(t.Context(), tables); err != nil {
		t.Fatal(err)
	}
	hints, err := source.Hints(t.Context())
	if text := strings.Join(hints, "\n"); err != nil || !strings.Contains(text, "max_prepared_statements") {
		t.Errorf("hints %q %v", text, err)
	}
	tx, err := source.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(tx.Delete(t.Context(), itemTable, schema.IntValue(1)), tx.Commit()); err != nil {
		t.Error(err)
	}
}
