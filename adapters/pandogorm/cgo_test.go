//go:build cgo

package pandogorm_test

import (
	"path/filepath"
	"testing"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"

	"github.com/pando-sync/pando/feed"
	"github.com/pando-sync/pando/feed/sqlitefeed"
)

// byCgo is SQLite by the driver that GORM's dialect brings.
func byCgo() []database {
	return []database{{"SQLite by cgo", func(t *testing.T) (*gorm.DB, feed.Source) {
		file := filepath.Join(t.TempDir(), "test.db")
		g := open(t, sqlite.Open("file:"+file+"?_journal_mode=WAL&_busy_timeout=5000&_foreign_keys=1&_recursive_triggers=1&_txlock=immediate"))
		return g, sqlitefeed.New(handle(t, g), sqlitefeed.WithLogger(quiet))
	}}}
}
