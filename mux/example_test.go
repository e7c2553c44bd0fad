package mux_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/exampletest"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/token"
)

// Note is a row of the table notes.
type Note struct {
	ID   int64  `json:"id"`
	Room string `json:"room"`
	Text string `json:"text"`
}

// A binding tells the groups of a row what becomes of it, whoever writes it: a
// client, or a statement. Who is in both the old group and the new one is told of an
// update, who is in the old one alone of a deletion.
func ExampleBinding() {
	notes := &mux.Binding[Note]{
		Stream:     "notes",
		Fields:     []string{mux.AllFields},
		GroupNames: func(n *Note) []string { return []string{"room." + n.Room} },
		HasPermission: func(_ context.Context, _ token.Identity, op mux.Op, _, _ *Note) (bool, error) {
			return op != mux.Delete, nil
		},
	}
	rooms := &mux.Demultiplexer{
		Consumers:        map[string]mux.Consumer{"notes": notes},
		ConnectionGroups: func(args mux.Args) []string { return []string{"room." + args["room"]} },
		Public:           true,
	}
	talk("/rooms/kitchen/", []mux.Entry{mux.RouteClass(rooms, `^/rooms/(?P<room>[a-z]+)/`)},
		`{"stream":"notes","payload":{"action":"create","data":{"room":"kitchen","text":"buy tea"}}}`,
		`UPDATE notes SET text = 'buy coffee'`,
		`{"stream":"notes","id":1,"payload":{"action":"delete","pk":1}}`,
		`UPDATE notes SET room = 'cellar'`,
	)
	// Output:
	// {"stream":"notes","payload":{"action":"create","pk":1,"data":{"room":"kitchen","text":"buy tea"},"model":"mux_test.note"}}
	// {"stream":"notes","payload":{"action":"update","pk":1,"data":{"room":"kitchen","text":"buy coffee"},"model":"mux_test.note"}}
	// {"stream":"notes","id":1,"payload":{"type":"error","code":"denied","status":403,"message":"delete is not permitted","retry":false}}
	// {"stream":"notes","payload":{"action":"delete","pk":1,"model":"mux_test.note"}}
}

// A demultiplexer has a consumer for each stream of a connection. Messages to
// others are answered by an error, and the connection lives.
func ExampleDemultiplexer() {
	say := mux.JSON[struct {
		Text string `json:"text"`
	}]{
		OnConnect: func(_ context.Context, s *mux.Stream) error {
			return s.Send(map[string]string{"welcome to": s.Args()["room"]})
		},
	}
	rooms := &mux.Demultiplexer{
		Consumers: map[string]mux.Consumer{"say": say},
		// Whoever may be in the room joins its group; App.Broadcast reaches it there.
		ConnectionGroups: func(args mux.Args) []string { return []string{"room." + args["room"]} },
		HasPermission: func(_ context.Context, c *mux.Conn) (bool, error) {
			return c.Args()["room"] != "cellar", nil
		},
		Public: true, // connections that say of no user may be
	}
	routing := []mux.Entry{mux.RouteClass(rooms, `^/rooms/(?P<room>[a-z]+)/`)}
	talk("/rooms/kitchen/", routing, "", `{"stream":"sing","payload":{}}`)
	talk("/rooms/cellar/", routing, `{"stream":"say","payload":{}}`)
	// Output:
	// {"stream":"say","payload":{"welcome to":"kitchen"}}
	// {"stream":"@","payload":{"type":"error","code":"unknown_stream","status":404,"message":"there is no stream \"sing\" here","retry":false}}
	// {"stream":"@","payload":{"type":"error","code":"denied","status":403,"message":"permission denied","retry":false}}
}

// A payload is decoded into the type. What OnReceive returns answers a message that
// has an id; so do errors.
func ExampleJSON() {
	type sum struct {
		A int `json:"a"`
		B int `json:"b"`
	}
	divide := mux.JSON[sum]{
		OnReceive: func(_ context.Context, _ *mux.Stream, s sum) (any, error) {
			if s.B == 0 {
				return nil, pando.Invalid("b", "nothing is divided by nothing")
			}
			return s.A / s.B, nil
		},
	}
	calculator := &mux.Demultiplexer{Consumers: map[string]mux.Consumer{"divide": divide}, Public: true}
	talk("/calculator/", []mux.Entry{mux.RouteClass(calculator, `^/calculator/`)},
		`{"stream":"divide","id":1,"payload":{"a":12,"b":4}}`,
		`{"stream":"divide","id":2,"payload":{"a":12,"b":0}}`,
		`{"stream":"divide","id":3,"payload":{"a":"twelve"}}`,
	)
	// Output:
	// {"stream":"divide","id":1,"payload":{"type":"result","value":3}}
	// {"stream":"divide","id":2,"payload":{"type":"error","code":"invalid","status":400,"message":"b: nothing is divided by nothing","retry":false,"fields":{"b":"nothing is divided by nothing"}}}
	// {"stream":"divide","id":3,"payload":{"type":"error","code":"invalid","status":400,"message":"a: want int, got string","retry":false,"fields":{"a":"want int, got string"}}}
}

// A route takes the text of a path that has no streams.
func ExampleRoute() {
	talk("/echo/loudly/", []mux.Entry{
		mux.Route("websocket.connect", func(_ context.Context, m *mux.Message) error {
			return m.Reply([]byte("say something " + m.Conn.Args()["how"]))
		}, mux.Path(`^/echo/(?P<how>[a-z]+)/`)),
		mux.Route("websocket.receive", func(_ context.Context, m *mux.Message) error {
			return m.Reply([]byte(strings.ToUpper(string(m.Text))))
		}, mux.Path(`^/echo/`)),
	}, "", "hello")
	// Output:
	// say something loudly
	// HELLO
}

// Entries that are included match what the prefix leaves of a path, and have its
// arguments as well as their own.
func ExampleInclude() {
	tell := func(_ context.Context, m *mux.Message) error {
		return m.Reply([]byte(m.Conn.Args()["shop"] + ", order " + m.Conn.Args()["order"]))
	}
	talk("/shops/tea/orders/7/", []mux.Entry{
		mux.Include(`^/shops/(?P<shop>[a-z]+)`,
			mux.Route("websocket.receive", tell, mux.Path(`^/orders/(?P<order>[0-9]+)/$`)),
		),
	}, "which?")
	// Output: tea, order 7
}

// talk serves a routing, connects to a path, and takes the steps one after another:
// SQL is executed, anything else sent, nothing if it is empty. It prints the frame
// that each has the client hear.
func talk(path string, routing []mux.Entry, steps ...string) {
	const notes = "CREATE TABLE notes (id INTEGER PRIMARY KEY, room TEXT NOT NULL, text TEXT NOT NULL)"
	quiet := pando.Config{Logger: slog.New(slog.DiscardHandler)}
	err := exampletest.Serve(notes, quiet, func(app *pando.App) { app.Mux(routing...) }, func(ctx context.Context, s *exampletest.Served) error {
		conn, err := s.Dial(ctx, path)
		if err != nil {
			return err
		}
		defer conn.Close()
		for _, step := range steps {
			switch {
			case strings.HasPrefix(step, "UPDATE"):
				_, err = s.DB.ExecContext(ctx, step)
			case step != "":
				err = conn.Send(step)
			}
			if err != nil {
				return err
			}
			text, err := conn.Hear()
			if err != nil {
				return err
			}
			fmt.Println(text)
		}
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
}
