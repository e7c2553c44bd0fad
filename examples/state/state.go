// Package state is the code of docs/guides/state.md, a file for each of its
// sections. Its test runs the guide.
package state

import (
	"context"
	"database/sql"

	"github.com/pando-sync/pando"
)

// Register declares all channels of the guide.
func Register(app *pando.App, db *sql.DB) {
	relations(app)
	manyToMany(app)
	below(app)
	keys(app)
	fields(app)
	filters(app)
	tenants(app)
	computed(app)
	lists(app)
	ownLists(app)
	audiences(app)
	permissions(app, db)
	models(app)
}

// everyone is embedded by channels that any user may open.
type everyone struct{}

// HasPermission is asked before anything is read or sent.
func (everyone) HasPermission(context.Context) (bool, error) { return true, nil }
