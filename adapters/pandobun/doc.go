// Package pandobun lets a program declare its bun models as state.
//
// The tags of most models are enough for Pando, see package schema. What tags do
// not tell, bun's own metadata does: columns of names that bun makes, tables with a
// naming function, the columns of tables between, prefixes of embedded structs.
//
//	app, err := pando.New(pando.Config{
//		Source: sqlitefeed.New(db.DB),
//		Models: pandobun.Models(db, (*Order)(nil), (*Item)(nil)),
//	})
//
// The metadata is read once; nothing of bun is called when rows are read.
//
// Whatever bun writes is seen, as all that is committed to the database is. In an
// action, and in Channel.Tx, bun writes in the transaction of Pando's when it is
// given to the query:
//
//	_, err := db.NewInsert().Model(&order).Conn(tx).Exec(ctx)
package pandobun
