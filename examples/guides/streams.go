package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"time"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/mux"
	"github.com/pando-sync/pando/token"
)

// Poster is what hangs on the wall of a room.
type Poster struct {
	ID     int64  `json:"id"`
	RoomID int64  `json:"room_id"`
	Text   string `json:"text"`
	Author string `json:"author" pando:"readonly"`
}

// Validate is asked before a poster is written.
func (p *Poster) Validate() error {
	if p.Text == "" {
		return pando.Invalid("text", "the poster is empty")
	}
	return nil
}

// wall is the group of those who look at a room's wall.
func wall(room any) string { return fmt.Sprint("wall.", room) }

// posters tells each room of its posters.
func posters() *mux.Binding[Poster] {
	return &mux.Binding[Poster]{
		Stream:     "posters",
		Fields:     []string{mux.AllFields},
		GroupNames: func(p *Poster) []string { return []string{wall(p.RoomID)} },
		HasPermission: func(_ context.Context, user token.Identity, op mux.Op, old, _ *Poster) (bool, error) {
			return op == mux.Create || old.Author == user.ID, nil
		},
		Create: hang,
	}
}

// hang hangs a poster up, and says by whom.
func hang(ctx context.Context, user token.Identity, data mux.Data[Poster]) (key any, err error) {
	p := data.New()
	var id int64
	err = pando.TxOf(ctx).QueryRowContext(ctx, `INSERT INTO posters (room_id, text, author) VALUES (?, ?, ?) RETURNING id`,
		p.RoomID, p.Text, user.ID).Scan(&id)
	return id, err
}

// Remark is what somebody says in a room. Nothing keeps it.
type Remark struct {
	By   string `json:"by"`
	Text string `json:"text"`
}

// chat tells everybody in the room what one of them says.
var chat = mux.JSON[Remark]{
	OnConnect: func(_ context.Context, s *mux.Stream) error {
		return s.Send(Remark{"porter", "welcome to room " + s.Args()["room_id"]})
	},
	OnReceive: func(ctx context.Context, s *mux.Stream, said Remark) (any, error) {
		if said.Text == "" {
			return nil, pando.Invalid("text", "say something")
		}
		said.By = s.User().ID
		return nil, s.Broadcast(ctx, wall(s.Args()["room_id"]), "chat", said)
	},
}

// roomStreams are the streams of one connection to a room.
func roomStreams(db *sql.DB) *mux.Demultiplexer {
	return &mux.Demultiplexer{
		Consumers:        map[string]mux.Consumer{"posters": posters(), "chat": chat},
		ConnectionGroups: func(args mux.Args) []string { return []string{wall(args["room_id"])} },
		HasPermission: func(ctx context.Context, c *mux.Conn) (ok bool, err error) {
			err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM rooms WHERE id = ?)`, c.Args()["room_id"]).Scan(&ok)
			return ok && c.User().ID != "", err
		},
	}
}

func streams(app *pando.App, db *sql.DB) {
	app.Mux(
		mux.Include(`^/rooms/(?P<room_id>[0-9]+)/`,
			mux.RouteClass(roomStreams(db), `^wall/`),
		),
		mux.Route("websocket.receive", echo, mux.Path(`^/echo/`)),
	)
}

// echo answers plain text with the same.
func echo(_ context.Context, m *mux.Message) error { return m.Reply(m.Text) }

// bell is heard in a room, from anywhere in the program: an HTTP handler, a job,
// a command.
func bell(ctx context.Context, app *pando.App, room string) error {
	return app.Broadcast(ctx, wall(room), "chat", Remark{"porter", "ding"})
}

// logged tells of every message of a stream and how long it took.
func logged(log *slog.Logger) func(pando.Handler) pando.Handler {
	return func(next pando.Handler) pando.Handler {
		return func(ctx context.Context, r *pando.Request) (json.RawMessage, error) {
			began := time.Now()
			answer, err := next(ctx, r)
			if r.Kind == "message" {
				log.InfoContext(ctx, "message", "stream", r.Stream, "path", r.Route, "took", time.Since(began), "error", err)
			}
			return answer, err
		}
	}
}
