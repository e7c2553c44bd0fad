package pando_test

import (
	"context"
	"fmt"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/exampletest"
	"github.com/pando-sync/pando/mux"
)

// Line is what somebody says in a room.
type Line struct {
	By   string `json:"by"`
	Text string `json:"text"`
}

// chat is a demultiplexer: whoever connects to /chat/ROOM/ hears what is said there.
var chat = &mux.Demultiplexer{
	Consumers: map[string]mux.Consumer{"chat": mux.JSON[Line]{
		OnReceive: func(ctx context.Context, s *mux.Stream, line Line) (any, error) {
			return nil, s.Broadcast(ctx, "chat."+s.Args()["room"], s.Name(), line)
		},
	}},
	ConnectionGroups: func(args mux.Args) []string { return []string{"chat." + args["room"]} },
	Public:           true,
}

// Clients of a demultiplexer send and receive envelopes, {"stream":…,"payload":…}.
func ExampleApp_Mux() {
	err := talk(func(_ context.Context, _ *pando.App, conn *exampletest.Conn) error {
		return conn.Send(`{"stream":"chat","payload":{"by":"ada","text":"Who cooks?"}}`)
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: {"stream":"chat","payload":{"by":"ada","text":"Who cooks?"}}
}

// The program itself may tell a group of connections something, on whichever nodes
// they are: from an HTTP handler, a job, a command.
func ExampleApp_Broadcast() {
	err := talk(func(ctx context.Context, app *pando.App, _ *exampletest.Conn) error {
		return app.Broadcast(ctx, "chat.kitchen", "chat", Line{"cook", "Soup is ready."})
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: {"stream":"chat","payload":{"by":"cook","text":"Soup is ready."}}
}

// talk runs an app with the chat, and prints what a connection to it hears of what fn
// does.
func talk(fn func(ctx context.Context, app *pando.App, conn *exampletest.Conn) error) error {
	routing := func(app *pando.App) { app.Mux(mux.RouteClass(chat, "^/chat/(?P<room>[a-z]+)/")) }
	return exampletest.Serve("", pando.Config{}, routing, func(ctx context.Context, s *exampletest.Served) error {
		conn, err := s.Dial(ctx, "/chat/kitchen/")
		if err != nil {
			return err
		}
		defer conn.Close()
		if err := fn(ctx, s.App, conn); err != nil {
			return err
		}
		text, err := conn.Hear()
		fmt.Println(text)
		return err
	})
}
