package main

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/pando-sync/pando"
)

// Room is where people talk.
type Room struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Visitor is what the others are told of somebody in a room.
type Visitor struct {
	Name string `json:"name"`
	Away bool   `json:"away"`
}

// RoomRuntime is what an open room knows besides its row.
type RoomRuntime struct {
	Visitors []Visitor `json:"visitors"`
	Heard    []string  `json:"heard"` // the last three
}

// RoomChannel shows a room.
type RoomChannel struct {
	pando.Channel[Room, RoomRuntime]
	everyone

	app *pando.App
}

func (c *RoomChannel) group() string { return "room." + c.Args().String("room_id") }

// OnConnect joins the room's group.
func (c *RoomChannel) OnConnect(ctx context.Context) error {
	return c.Present(ctx, c.group(), Visitor{Name: "Visitor " + c.User().ID})
}

// Heard is an event.
type Heard struct {
	By   string `json:"by"`
	Text string `json:"text"`
}

// Say tells everybody else in the room.
func (c *RoomChannel) Say(ctx context.Context, text string) error {
	return c.GroupSend(ctx, c.group(), "said", Heard{c.User().ID, text}, pando.ExceptSender())
}

// OnSaid is called in every stream of the room.
func (c *RoomChannel) OnSaid(_ context.Context, e Heard) error {
	return c.SetRuntime(func(r *RoomRuntime) {
		heard := append(slices.Clip(r.Heard), e.By+": "+e.Text)
		r.Heard = heard[max(0, len(heard)-3):]
	})
}

// OnGap is called when events may have been lost.
func (c *RoomChannel) OnGap(context.Context) error {
	return c.SetRuntime(func(r *RoomRuntime) { r.Heard = nil })
}

// Away tells the others that the visitor looks elsewhere, or is back.
func (c *RoomChannel) Away(ctx context.Context, away bool) error {
	return c.Present(ctx, c.group(), Visitor{Name: "Visitor " + c.User().ID, Away: away})
}

// OnVisitors is told who is there.
func (c *RoomChannel) OnVisitors(_ context.Context, p pando.Presence[Visitor]) error {
	return c.SetRuntime(func(r *RoomRuntime) { r.Visitors = p.Infos() })
}

// Knock tells the windows of one user that somebody is at the door.
func (c *RoomChannel) Knock(ctx context.Context, user string) error {
	return c.app.Notify(ctx, pando.At[*RoomChannel](c.Args().Int("room_id")), "knock", c.User().ID, pando.ToUser(user))
}

func groups(app *pando.App) {
	app.Handle("rooms/{room_id}", pando.For(
		func() *RoomChannel { return &RoomChannel{app: app} },
		pando.Actions((*RoomChannel).Say, (*RoomChannel).Away, (*RoomChannel).Knock),
		pando.Consume("said", (*RoomChannel).OnSaid),
		pando.OnPresence((*RoomChannel).OnVisitors),
	))
}

// announce tells a room from anywhere in the program: an HTTP handler, a
// job, a command.
func announce(ctx context.Context, app *pando.App, room int64, text string) error {
	if err := app.GroupSend(ctx, "room."+strconv.FormatInt(room, 10), "said", Heard{"system", text}); err != nil {
		return err
	}
	return app.Notify(ctx, pando.At[*RoomChannel](room), "announcement", text)
}

// shutDown tells everybody, and sends them away for five minutes.
func shutDown(ctx context.Context, app *pando.App) error {
	if err := app.BroadcastSystemMessage(ctx, "We move house at noon."); err != nil {
		return err
	}
	return app.Maintenance(ctx, "Back in five minutes.", 5*time.Minute)
}
