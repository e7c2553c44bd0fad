// Package sqlite opens SQLite files for package backend, by a driver that needs
// no C.
package sqlite

import (
	"context"
	"database/sql"
	"net/url"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/broker"
	"github.com/pando-sync/pando/feed/sqlitefeed"
)

// Kind opens paths, and URLs like sqlite:board.db. The file is created by the
// first statement.
func Kind() backend.Kind {
	return backend.Kind{Schemes: []string{"", "sqlite"}, Database: open}
}

// open sets up the handle: SQLite has one writer at a time, and one connection
// makes the others wait here, in order, instead of in the database.
func open(_ context.Context, s backend.Settings, _ broker.Stream) (*backend.Database, error) {
	db, err := sql.Open("sqlite", dsn(s.Database))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return &backend.Database{
		DB: db, Source: sqlitefeed.New(db, sqlitefeed.WithLogger(s.Log)), Dialect: backend.SQLite,
	}, nil
}

func dsn(address string) string {
	path := address
	if backend.SchemeOf(address) != "" {
		path = strings.TrimPrefix(address[strings.IndexByte(address, ':')+1:], "//")
	}
	options := url.Values{
		"_pragma": {
			"journal_mode(WAL)", "synchronous(NORMAL)", "busy_timeout(5000)",
			"foreign_keys(1)", "recursive_triggers(1)",
		},
		"_txlock": {"immediate"},
	}
	file := url.URL{Path: path}
	return "file:" + file.EscapedPath() + "?" + options.Encode()
}
