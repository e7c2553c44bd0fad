// Package write carries out what clients write: it checks a save, a create or a
// delete against the tree of the client's stream, and makes the statement of
// it, all in one transaction.
//
// # Order of checks
//
//  1. The operation, its type, its relation and its fields are declared, else
//     "unknown_write".
//  2. The row, or the parent of a new one, belongs to the stream's tree, else
//     "denied", whether or not it exists. It and its ancestors are locked.
//  3. The values are what their fields take, else "invalid".
//  4. The channel permits it.
//  5. The row as it would be is valid to the app.
//  6. The row has the values that the client saw, else "conflict".
//  7. Links that the client set lead to rows of the tree, or to what the channel
//     lets them lead to, else "denied".
//  8. The statement; what a constraint refuses is "conflict" or "invalid".
//  9. The row belongs to the tree, unless the channel lets rows leave, else
//     "denied".
//
// An error means that the transaction has to be rolled back.
//
// # Without a tree
//
// An Offer made by Alone checks and makes changes of single rows, by Draft, for
// those who decide otherwise whether a row may be written.
//
// # Concurrency
//
// A Writer is safe for concurrent use; each Apply has a transaction of its own.
package write
