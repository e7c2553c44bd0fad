package sqlitefeed

import (
	"context"
	"database/sql/driver"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"modernc.org/sqlite"
)

// watched maps a database file to the sources that follow it. Commit hooks
// read it without a lock.
var watched struct {
	// mu serialises writers.
	mu     sync.Mutex
	byPath atomic.Pointer[map[string][]*Source]
}

// hooked holds the files that modernc's driver opened, as keys. There are as
// many as files that the program ever opens.
var hooked sync.Map

// The hook is registered when the program starts, because it reaches only
// connections that open afterwards and authors open theirs before they call
// New. A connection to a file that nobody follows pays one look into an empty
// map per commit.
//
//nolint:gochecknoinits // see above
func init() { sqlite.RegisterConnectionHook(hookConnection) }

// hookConnection makes the commits of an author's connection wake the sources
// of its file.
func hookConnection(c sqlite.ExecQuerierContext, dsn string) error {
	hooks, ok := c.(sqlite.HookRegisterer)
	if !ok || strings.Contains(dsn, ownMark) {
		return nil
	}
	path, err := connectedPath(c)
	if err != nil || path == "" {
		return nil //nolint:nilerr // only a hint is lost, which is no reason to refuse the connection
	}
	hooked.Store(path, true)
	hooks.RegisterCommitHook(func() int32 {
		if byPath := watched.byPath.Load(); byPath != nil {
			for _, s := range (*byPath)[path] {
				s.Wake()
			}
		}
		return 0
	})
	return nil
}

// connectedPath is the file of a driver's connection.
func connectedPath(c driver.QueryerContext) (string, error) {
	rows, err := c.QueryContext(context.Background(), "PRAGMA database_list", nil)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	row := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(row); err != nil { // main comes first
		return "", err
	}
	path := textIn(row[2])
	return path, nil
}

// watchCommits makes commits to the file at path wake s.
func watchCommits(path string, s *Source) {
	changeWatched(func(byPath map[string][]*Source) {
		byPath[path] = append(slices.Clone(byPath[path]), s)
	})
}

// unwatchCommits undoes watchCommits.
func unwatchCommits(path string, s *Source) {
	changeWatched(func(byPath map[string][]*Source) {
		rest := slices.DeleteFunc(slices.Clone(byPath[path]), func(o *Source) bool { return o == s })
		byPath[path] = rest
		if len(rest) == 0 {
			delete(byPath, path)
		}
	})
}

// changeWatched applies change to a copy of the map, which it publishes.
func changeWatched(change func(map[string][]*Source)) {
	watched.mu.Lock()
	defer watched.mu.Unlock()
	next := make(map[string][]*Source)
	if byPath := watched.byPath.Load(); byPath != nil {
		maps.Copy(next, *byPath)
	}
	change(next)
	watched.byPath.Store(&next)
}
