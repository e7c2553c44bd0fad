package state

import (
	"context"

	"github.com/pando-sync/pando"
)

// Project is the root of a tree.
type Project struct {
	ID     int64   `json:"id"`
	Name   string  `json:"name"`
	Lead   *User   `json:"lead"`                         // belongs to: projects.lead_id
	Budget *Budget `json:"budget" pando:"hasone"`        // has one: budgets.project_id
	Tasks  []Task  `json:"tasks" pando:"order:position"` // has many: tasks.project_id
}

// Budget is what a project may cost.
type Budget struct {
	ID    int64 `json:"id"`
	Cents int64 `json:"cents"`
}

// Task is one thing to do.
type Task struct {
	ID       int64   `json:"id"`
	Title    string  `json:"title"`
	Assignee *User   `json:"assignee"` // belongs to: tasks.assignee_id
	Position float64 `json:"-"`        // read for the order, not sent
}

// User is a person as others see them.
type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// ProjectChannel shows one project.
type ProjectChannel struct {
	pando.Channel[Project, pando.NoRuntime]
	everyone
}

// Profile is a person as they see themselves.
type Profile struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Email string `json:"email"`
}

// TableName gives the table that is not named like the struct.
func (Profile) TableName() string { return "users" }

// ProfileChannel shows a user's own profile.
type ProfileChannel struct {
	pando.Channel[Profile, pando.NoRuntime]
}

// HasPermission is asked before anything is read or sent.
func (c *ProfileChannel) HasPermission(context.Context) (bool, error) {
	return c.Args().String("user_id") == c.User().ID, nil
}

func relations(app *pando.App) {
	app.Handle("projects/{project_id}", pando.For(func() *ProjectChannel { return &ProjectChannel{} }))
	app.Handle("profiles/{user_id}", pando.For(func() *ProfileChannel { return &ProfileChannel{} }))
}
