package pando_test

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/internal/exampletest"
	"github.com/pando-sync/pando/pandotest"
)

// Listener is what others are told of somebody who listens to an album.
type Listener struct {
	Name string `json:"name"`
}

// Applause is an event.
type Applause struct {
	By    string `json:"by"`
	Track int64  `json:"track"`
}

// PartyRuntime is what an open party knows besides its album.
type PartyRuntime struct {
	Listeners []Listener `json:"listeners"`
	Applause  []string   `json:"applause"`
}

// PartyChannel is an album that several listen to together.
type PartyChannel struct {
	pando.Channel[Album, PartyRuntime]
}

// HasPermission lets everybody in.
func (c *PartyChannel) HasPermission(context.Context) (bool, error) { return true, nil }

func (c *PartyChannel) group() string { return "album." + c.Args().String("id") }

// OnConnect shows the user to the others, and joins their group with that.
func (c *PartyChannel) OnConnect(ctx context.Context) error {
	return c.Present(ctx, c.group(), Listener{"Listener " + c.User().ID})
}

// OnListeners is told who is there.
func (c *PartyChannel) OnListeners(_ context.Context, p pando.Presence[Listener]) error {
	return c.SetRuntime(func(r *PartyRuntime) { r.Listeners = p.Infos() })
}

// Applaud is called from the browser as actions.applaud(track): all others hear
// it.
func (c *PartyChannel) Applaud(ctx context.Context, track int64) error {
	return c.GroupSend(ctx, c.group(), "applause", Applause{c.User().ID, track}, pando.ExceptSender())
}

// OnApplause hears it.
func (c *PartyChannel) OnApplause(_ context.Context, e Applause) error {
	return c.SetRuntime(func(r *PartyRuntime) {
		r.Applause = append(r.Applause, fmt.Sprintf("%s applauds track %d", e.By, e.Track))
	})
}

// Streams of one album see who else is there, and send each other events. With
// Config.Broker they do on several machines, too.
func ExampleConsume() {
	err := party(func(ctx context.Context, _ *pando.App, url string) error {
		var streams []*pandotest.Stream[Album]
		for _, user := range []string{"1", "2"} {
			client := pandotest.NewClient(url, user)
			defer client.Drop()
			stream, err := pandotest.NewStream[Album](client, "albums/1")
			if err := errors.Join(err, client.Dial(ctx), stream.Resume(ctx)); err != nil {
				return err
			}
			streams = append(streams, stream)
		}
		if err := streams[0].Try(ctx, nil, "applaud", 2); err != nil {
			return err
		}
		changed := make(chan struct{}, 1)
		streams[1].Observe(func(uint64, []byte) {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
		var r PartyRuntime
		for {
			if err := streams[1].Runtime(&r); err != nil {
				return err
			}
			if len(r.Applause) > 0 && len(r.Listeners) == 2 {
				break
			}
			<-changed
		}
		fmt.Println(r.Listeners)
		fmt.Println(r.Applause)
		return nil
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// [{Listener 1} {Listener 2}]
	// [1 applauds track 2]
}

// party runs an app of albums for a client.
func party(client func(ctx context.Context, app *pando.App, url string) error) error {
	const tables = `
		CREATE TABLE albums (id INTEGER PRIMARY KEY, title TEXT NOT NULL);
		CREATE TABLE tracks (id INTEGER PRIMARY KEY, album_id INTEGER, title TEXT NOT NULL, place INTEGER);
		INSERT INTO albums VALUES (1, 'Kind of Blue')`
	return exampletest.Serve(tables, pando.Config{Auth: names{}}, func(app *pando.App) {
		app.Handle("albums/{id}", pando.For(func() *PartyChannel { return &PartyChannel{} },
			pando.Actions((*PartyChannel).Applaud),
			pando.Consume("applause", (*PartyChannel).OnApplause),
			pando.OnPresence((*PartyChannel).OnListeners),
		))
	}, func(ctx context.Context, s *exampletest.Served) error { return client(ctx, s.App, s.URL) })
}

// Notices tell clients of what is no state: all who show album 1, or one of them.
// In TypeScript they come to handle.notices.subscribe("taxi", …).
func ExampleApp_Notify() {
	err := party(func(ctx context.Context, app *pando.App, url string) error {
		client := pandotest.NewClient(url, "2")
		defer client.Drop()
		notices := make(chan string, 2)
		client.Tap(func(frame []byte) {
			if strings.Contains(string(frame), `"notice"`) {
				notices <- string(frame)
			}
		})
		stream, err := pandotest.NewStream[Album](client, "albums/1")
		if err := errors.Join(err, client.Dial(ctx), stream.Resume(ctx)); err != nil {
			return err
		}
		err = errors.Join(
			app.Notify(ctx, pando.At[*PartyChannel](1), "curfew", "ten more minutes"),
			app.Notify(ctx, pando.At[*PartyChannel](1), "taxi", "yours is here", pando.ToUser("2")),
		)
		fmt.Println(<-notices)
		fmt.Println(<-notices)
		return err
	})
	if err != nil {
		fmt.Println(err)
	}
	// Output:
	// {"stream":"s1","payload":{"type":"notice","name":"curfew","value":"ten more minutes"}}
	// {"stream":"s1","payload":{"type":"notice","name":"taxi","value":"yours is here"}}
}
