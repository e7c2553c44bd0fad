// Package pandogorm lets a program declare its GORM models as state, and write by
// GORM in the transactions that Pando opens.
//
// # Models
//
// The tags of most models are enough for Pando, see package schema. What tags do
// not tell, GORM's own metadata does: a naming strategy, a prefix of tables or of
// embedded structs, TableName methods that are given a namer, join tables of one's
// own.
//
//	app, err := pando.New(pando.Config{
//		Source: sqlitefeed.New(db),
//		Models: pandogorm.Models(g, &Author{}, &Book{}),
//	})
//
// Nothing of GORM is called when rows are read: the models' metadata is read once,
// and no hook of a model runs.
//
// # Writes
//
// Whatever GORM writes is seen, as all that is committed to the database is. [Tx]
// is for actions, which are applied once in a transaction of Pando's.
//
// # Drivers
//
// GORM's SQLite dialect brings the cgo driver. Without cgo it takes the handle of
// another one: sqlite.New(sqlite.Config{Conn: db}). The dialect
// github.com/glebarez/sqlite cannot be linked beside package sqlitefeed: its driver
// registers the name of modernc.org/sqlite, of which it is an older fork.
package pandogorm
