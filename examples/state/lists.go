package state

import "github.com/pando-sync/pando"

// Ticket is what somebody asks for.
type Ticket struct {
	ID       int64  `json:"id"`
	Title    string `json:"title"`
	Urgency  int    `json:"urgency"`
	Team     string `json:"-"`
	Closed   bool   `json:"-"`
	Assignee *User  `json:"assignee"`
}

// TicketsChannel shows the two most urgent open tickets of a team.
type TicketsChannel struct {
	pando.List[Ticket, pando.NoRuntime]
	everyone
}

func lists(app *pando.App) {
	app.Handle("tickets/{team}", pando.For(
		func() *TicketsChannel { return &TicketsChannel{} },
		pando.Where("team", pando.Eq(pando.Arg("team"))).
			Where("closed", pando.Eq(false)).
			OrderBy("-urgency").
			Limit(2),
	))
}
