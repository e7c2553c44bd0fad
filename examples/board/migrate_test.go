package main

import (
	_ "embed"
	"testing"

	"github.com/pando-sync/pando/backend"
	"github.com/pando-sync/pando/pandotest"
	"github.com/pando-sync/pando/token"
)

//go:embed testdata/first.sql
var firstTables string

// TestMigrateFirstBoard brings a database up to date that has neither roles nor
// the words of cards.
func TestMigrateFirstBoard(t *testing.T) {
	db := pandotest.Database(t)
	users := token.New(db)
	must(t, users.Migrate(t.Context()))
	if _, err := db.ExecContext(t.Context(), firstTables); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time there is nothing to do
		must(t, migrate(t.Context(), &backend.Database{DB: db, Dialect: backend.SQLite}, users))
	}
	var owner, member Role
	var words int
	must(t, db.QueryRowContext(t.Context(), `SELECT
		(SELECT role FROM board_members WHERE user_id = 1), (SELECT role FROM board_members WHERE user_id = 2),
		(SELECT count(*) FROM card_words WHERE board_id = 1 AND card_id = 1 AND word IN ('plan', 'b'))`).Scan(&owner, &member, &words))
	if owner != RoleOwner || member != RoleEditor || words != 2 {
		t.Errorf("the roles are %q and %q, the card has %d words", owner, member, words)
	}
}
