// Package pando keeps a nested piece of a SQL database live and typed in every
// browser that may see it.
//
// An app declares a tree of plain structs over tables and a [Channel] for it.
// Pando reads the tree, follows every commit to the database whoever makes it,
// and sends each connected client only the rows that changed; a generated
// TypeScript class rebuilds the nested state.
//
//	type Board struct {
//		ID    int64  `json:"id"`
//		Name  string `json:"name"`
//		Lists []List `json:"lists" pando:"order:position"`
//	}
//
//	type BoardChannel struct {
//		pando.Channel[Board, pando.NoRuntime]
//		db *sql.DB
//	}
//
//	func (c *BoardChannel) HasPermission(ctx context.Context) (bool, error) { … }
//
//	func (c *BoardChannel) Rename(ctx context.Context, name string) error { … }
//
//	app, err := pando.New(pando.Config{Source: sqlitefeed.New(db), Auth: token.New(db)})
//	app.Handle("boards/{board_id}", pando.For(func() *BoardChannel { return &BoardChannel{db: db} },
//		pando.Actions((*BoardChannel).Rename)))
//	go app.Run(ctx)
//	http.Handle("/live/", http.StripPrefix("/live", app))
//
// # How it works
//
// A commit becomes a feed.Commit, the router decides which scopes it touches,
// each patch is encoded once and appended to the scope's log, and every
// session writes from the log what it has not written yet. docs/ARCHITECTURE.md
// draws the way; spec/protocol.md is what goes over the socket.
//
// # Actions and writes
//
// Clients call the methods that [Actions] offers, and write the rows that
// [Writable] offers, in the line of their stream: one request at a time, with
// events and hooks. A method that takes a *sql.Tx runs in a transaction which
// stores its result, too, so that a client whose connection was lost may ask
// again and it is applied once; writes always are. [ActionTimeout], [MaxRequest]
// and [RateLimit] bound them, [App.Use] stands around them.
//
// # Groups, presence and notices
//
// Streams talk to each other by groups: a hook or an action joins one with
// GroupAdd, [App.GroupSend] sends an event to it, and a method that [Consume]
// names gets it, in the stream's line. Who is there is told to a method that
// [OnPresence] names. [App.Notify] tells clients of what is no state,
// [App.BroadcastSystemMessage] all of them. None of it is repeated: what has to
// last is a row. Config.Broker carries it between machines.
//
// # Streams and bindings
//
// [App.Mux] routes WebSockets by path to what package mux has: demultiplexers, whose
// streams take messages of an app's own, and bindings, which tell groups of the rows
// of a table. [App.Broadcast] tells a group of connections something from anywhere in
// the program.
//
// # Concurrency
//
// An [App] is safe for concurrent use once Run has been called. Requests of
// one stream run one at a time and in order, but for actions that are declared by
// [Concurrent]; those of different streams run at the same time. The context of
// what runs ends when its stream is closed or its connection lost, and
// OnDisconnect runs once after that has returned.
//
// # Errors
//
// Wrong declarations are reported by Setup and Run, all together. Clients are
// told of errors made by [Errorf] and [Invalid]; all others are logged and reach
// a client as "internal".
package pando
