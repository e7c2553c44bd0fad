package api

import (
	"context"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/token"
)

// messageUpdate is the group of all who are told of messages.
const messageUpdate = "message-update"

// messageBinding is the stream's MessageBinding: rows that change, by whom and by
// what means they may, are told to the groups of GroupNames, and clients may
// create, update and delete them.
func messageBinding() *mux.Binding[Message] {
	return &mux.Binding[Message]{
		Stream: "message-stream",
		Fields: []string{mux.AllFields},
		// A room of its own for each message would be a column, and
		// []string{"room." + m.Room}: who is in the group of the row's room is told,
		// and who loses it because the row moves is told of a deletion.
		GroupNames:    func(*Message) []string { return []string{messageUpdate} },
		HasPermission: hasPermission,
		Create:        create,
		OrderBy:       []string{"id"},
	}
}

// hasPermission lets everybody who is logged in write, and authors change what
// is theirs. It is asked in the transaction of the write, with the row locked.
func hasPermission(_ context.Context, user token.Identity, op mux.Op, old, _ *Message) (bool, error) {
	if op == mux.Create {
		return user.ID != "", nil
	}
	return user.ID != "" && old.Author == usernameOf(user), nil
}

// create does what an insert of the fields cannot: it says who the author is.
// Whether the user may, and whether the message is valid, is known by now.
func create(ctx context.Context, user token.Identity, data mux.Data[Message]) (key any, err error) {
	m, err := insert(ctx, pando.TxOf(ctx), usernameOf(user), data.New().Message)
	return m.ID, err
}
