package main

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/pando-sync/pando"
)

// Project is the root of a tree of tasks.
type Project struct {
	ID    int64  `json:"id"`
	Name  string `json:"name"`
	Tasks []Task `json:"tasks" pando:"filter:archived=false"`
}

// Task is what clients write.
type Task struct {
	ID        int64  `json:"id"`
	Title     string `json:"title"`
	Hours     int64  `json:"hours"`
	Assignee  *User  `json:"assignee"`
	CreatedBy string `json:"created_by" pando:"readonly"` // sent, and set by the server alone
	Archived  bool   `json:"archived"`
}

// User is a person, as others see them.
type User struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

// Validate is asked about a task as it would be.
func (t *Task) Validate(context.Context) error {
	if t.Title == "" {
		return pando.Invalid("title", "is empty")
	}
	if t.Hours < 0 || t.Hours > 1000 {
		return pando.Invalid("hours", "give 0 to 1000 hours, not %d", t.Hours)
	}
	return nil
}

// Member says what a user may do in a project.
type Member struct {
	ProjectID int64  `db:"project_id" pando:"key"`
	UserID    int64  `db:"user_id" pando:"key"`
	Role      string `db:"role"`
}

// ProjectChannel shows a project to its members, and lets editors write.
type ProjectChannel struct {
	pando.Channel[Project, pando.NoRuntime]

	db *sql.DB
}

// HasPermission lets members in.
func (c *ProjectChannel) HasPermission(ctx context.Context) (ok bool, err error) {
	err = c.db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM members WHERE project_id = ? AND user_id = ?)`,
		c.Args().Int("project_id"), c.User().ID).Scan(&ok)
	return ok, err
}

// edits refuses who is no editor at this moment.
func (c *ProjectChannel) edits(ctx context.Context) error {
	var role string
	err := pando.TxOf(ctx).QueryRowContext(ctx, `SELECT role FROM members WHERE project_id = ? AND user_id = ?`,
		c.Args().Int("project_id"), c.User().ID).Scan(&role)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if role != "editor" {
		return pando.Errorf("denied", "only editors change tasks")
	}
	return nil
}

// CanSaveTask lets editors change tasks; only who made one archives it.
func (c *ProjectChannel) CanSaveTask(ctx context.Context, old Task, data pando.Data[Task]) error {
	if data.Has("Archived") && old.CreatedBy != c.User().ID {
		return pando.Errorf("denied", "%s may archive this", old.CreatedBy)
	}
	return c.edits(ctx)
}

// CanCreateTask lets editors add tasks, and notes who did.
func (c *ProjectChannel) CanCreateTask(ctx context.Context, data pando.Data[Task]) error {
	if err := data.Set("CreatedBy", c.User().ID); err != nil {
		return err
	}
	return c.edits(ctx)
}

// CanDeleteTask lets editors delete what is empty.
func (c *ProjectChannel) CanDeleteTask(ctx context.Context, old Task) error {
	if old.Hours > 0 {
		return pando.Errorf("has_hours", "hours were spent on it: archive it")
	}
	return c.edits(ctx)
}

// CanAssign lets members be assigned whom the tree does not show yet.
func (c *ProjectChannel) CanAssign(ctx context.Context, target User) error {
	var ok bool
	err := pando.TxOf(ctx).QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM members WHERE project_id = ? AND user_id = ?)`,
		c.Args().Int("project_id"), target.ID).Scan(&ok)
	if err == nil && !ok {
		return pando.Invalid("assignee", "%s is no member", target.Name)
	}
	return err
}

func writes(app *pando.App, db *sql.DB) {
	app.Handle("projects/{project_id}", pando.For(
		func() *ProjectChannel { return &ProjectChannel{db: db} },
		pando.RecheckOn[Member]("project_id"),
		pando.Writable[Task](
			pando.Save((*ProjectChannel).CanSaveTask),
			pando.Create((*ProjectChannel).CanCreateTask),
			pando.Delete((*ProjectChannel).CanDeleteTask),
			pando.CanLink((*ProjectChannel).CanAssign),
			pando.MayLeave[Task](),
			pando.Optimistic[Task](10*time.Second),
		),
	))
}
