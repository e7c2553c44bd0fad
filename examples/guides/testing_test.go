package main

import (
	"testing"

	"github.com/pando-sync/pando/pandotest"
)

func TestOthersSeeANewLine(t *testing.T) {
	s := newShop(t)
	server := pandotest.Serve(t, s.app)
	ada := pandotest.Open[Order](t, server.Connect(t, "1"), "orders/1")
	grace := pandotest.Open[Order](t, server.Connect(t, "2"), "orders/1")

	var id int64
	ada.Call(t, &id, "addLine", "cogwheel", 3)
	if lines := ada.State().Lines; len(lines) != 1 || lines[0].ID != id {
		t.Errorf("Ada's order has %v", lines)
	}
	grace.Wait(t, "the line", func(o *Order) bool { return len(o.Lines) == 1 })

	s.exec(t, `DELETE FROM lines`) // as another program would
	grace.Wait(t, "no line", func(o *Order) bool { return len(o.Lines) == 0 })

	refused(t, ada.Try(t.Context(), nil, "addLine", "cogwheel", 0), "invalid", "quantity")
}

func TestOnlyMembersSeeAProject(t *testing.T) {
	s := newShop(t)
	eve := pandotest.Serve(t, s.app).Connect(t, "3")
	refused(t, pandotest.Refused[Project](t, eve, "projects/1"), "denied")
	s.exec(t, `INSERT INTO members VALUES (1, 3, 'viewer')`)
	project := pandotest.Open[Project](t, eve, "projects/1")
	if project.State().Name != "Engine" {
		t.Errorf("Eve sees %v", project.State())
	}
}

func TestWhatWasMissedComesLater(t *testing.T) {
	s := newShop(t)
	client := pandotest.Serve(t, s.app).Connect(t, "1")
	order := pandotest.Open[Order](t, client, "orders/1")
	client.Drop()
	s.exec(t, `UPDATE orders SET status = 'paid'`)
	if err := client.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := order.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	order.Wait(t, "the new status", func(o *Order) bool { return o.Status == Paid })
}

func TestDeclarations(t *testing.T) {
	app := newShop(t).app
	if err := app.Setup(t.Context()); err != nil {
		t.Fatal(err)
	}
	faults, hints, err := app.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range faults {
		t.Error(fault)
	}
	for _, hint := range hints {
		t.Log(hint)
	}
}
