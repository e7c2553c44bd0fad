package pando_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/pandotest"
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
	err := talk(func(_ context.Context, _ *pando.App, conn net.Conn) error {
		if err := wsutil.WriteClientText(conn, []byte(`{"stream":"chat","payload":{"by":"ada","text":"Who cooks?"}}`)); err != nil {
			return err
		}
		text, err := wsutil.ReadServerText(conn)
		fmt.Printf("%s\n", text)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: {"stream":"chat","payload":{"by":"ada","text":"Who cooks?"}}
}

// The program itself may tell a group of connections something, on whichever nodes
// they are: from an HTTP handler, a job, a command.
func ExampleApp_Broadcast() {
	err := talk(func(ctx context.Context, app *pando.App, conn net.Conn) error {
		if err := app.Broadcast(ctx, "chat.kitchen", "chat", Line{"cook", "Soup is ready."}); err != nil {
			return err
		}
		text, err := wsutil.ReadServerText(conn)
		fmt.Printf("%s\n", text)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output: {"stream":"chat","payload":{"by":"cook","text":"Soup is ready."}}
}

// talk runs an app with the chat while fn has a connection to it.
func talk(fn func(ctx context.Context, app *pando.App, conn net.Conn) error) (err error) {
	folder, err := os.MkdirTemp("", "chat")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	db, err := sql.Open("sqlite", pandotest.DSN(filepath.Join(folder, "chat.db")))
	if err != nil {
		return err
	}
	defer db.Close()
	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		return err
	}
	app.Mux(mux.RouteClass(chat, "^/chat/(?P<room>[a-z]+)/"))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- app.Run(ctx) }()
	defer func() {
		stop()
		err = errors.Join(err, <-ended)
	}()
	<-app.Ready()
	server := httptest.NewServer(app)
	defer server.Close()
	conn, _, _, err := ws.Dial(ctx, "ws"+strings.TrimPrefix(server.URL, "http")+"/chat/kitchen/")
	if err != nil {
		return err
	}
	defer conn.Close()
	return fn(ctx, app, conn)
}
