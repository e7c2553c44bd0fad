package main

import (
	"testing"

	"github.com/pando-sync/pando/pandotest"
)

func TestWrites(t *testing.T) {
	s := newShop(t)
	server := pandotest.Serve(t, s.app)
	ada := pandotest.Open[Project](t, server.Connect(t, "1"), "projects/1")   // an editor
	grace := pandotest.Open[Project](t, server.Connect(t, "2"), "projects/1") // a viewer
	ctx := t.Context()

	id, err := ada.Create(ctx, "Task", map[string]any{"title": "Punch cards"}, "Project", 1, "tasks")
	if err != nil {
		t.Fatal(err)
	}
	if tasks := ada.State().Tasks; len(tasks) != 2 || tasks[1].Title != "Punch cards" || tasks[1].CreatedBy != "1" {
		t.Errorf("the tasks are %+v", tasks)
	}
	if err := ada.Save(ctx, "Task", id, map[string]any{"title": "Punch 50 cards", "hours": 2}); err != nil {
		t.Fatal(err)
	}
	grace.Wait(t, "the new title", func(p *Project) bool { return len(p.Tasks) == 2 && p.Tasks[1].Title == "Punch 50 cards" })

	refused(t, grace.Save(ctx, "Task", id, map[string]any{"hours": 3}), "denied")
	refused(t, ada.Save(ctx, "Task", id, map[string]any{"title": ""}), "invalid", "title")
	refused(t, ada.Save(ctx, "Task", id, map[string]any{"hours": 2000}), "invalid", "hours")
	refused(t, ada.Save(ctx, "Task", id, map[string]any{"created_by": "2"}), "unknown_write")
	refused(t, ada.Save(ctx, "Task", 2, map[string]any{"title": "Mine"}), "denied") // another project's
	refused(t, ada.Save(ctx, "User", 1, map[string]any{"name": "Augusta"}), "unknown_write")
	refused(t, ada.Delete(ctx, "Task", id), "has_hours")

	// Grace stands nowhere in the tree, but CanAssign knows her.
	if err := ada.Save(ctx, "Task", id, map[string]any{"assignee": "2"}); err != nil {
		t.Fatal(err)
	}
	if a := ada.State().Tasks[1].Assignee; a == nil || a.Name != "Grace" {
		t.Errorf("the assignee is %v", a)
	}
	refused(t, ada.Save(ctx, "Task", id, map[string]any{"assignee": "3"}), "invalid", "assignee")

	refused(t, ada.Save(ctx, "Task", 1, map[string]any{"archived": true}), "denied")
	if err := ada.Save(ctx, "Task", id, map[string]any{"archived": true}); err != nil {
		t.Fatal(err)
	}
	if err := ada.Delete(ctx, "Task", 1); err != nil {
		t.Fatal(err)
	}
	grace.Wait(t, "an empty project", func(p *Project) bool { return len(p.Tasks) == 0 })

	s.exec(t, `UPDATE members SET role = 'viewer' WHERE user_id = 1`)
	_, err = ada.Create(ctx, "Task", map[string]any{"title": "More"}, "Project", 1, "tasks")
	refused(t, err, "denied")
}
