package state

import "github.com/pando-sync/pando"

// Team belongs to one tenant, as its members do.
type Team struct {
	ID      int64    `json:"id"`
	Name    string   `json:"name"`
	OrgID   int64    `json:"-"`
	Members []Member `json:"members"`
	Country *Country `json:"country" pando:"shared"` // has no org_id
}

// Member is in a team.
type Member struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	OrgID int64  `json:"-"`
}

// Country is known to all tenants.
type Country struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// TeamChannel shows a team to the users of its tenant.
type TeamChannel struct {
	pando.Channel[Team, pando.NoRuntime]
	everyone
}

func tenants(app *pando.App) {
	app.Handle("teams/{team_id}", pando.For(
		func() *TeamChannel { return &TeamChannel{} },
		pando.Tenant("org_id", func(user pando.Identity) any { return user.Value }),
	))
}
