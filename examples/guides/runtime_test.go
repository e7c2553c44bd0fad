package main

import (
	"testing"

	"github.com/pando-sync/pando/pandotest"
)

func TestRuntime(t *testing.T) {
	client := pandotest.Serve(t, newShop(t).app).Connect(t, "1")
	report := pandotest.Open[Report](t, client, "reports/1")
	other := pandotest.Open[Report](t, client, "fresh-reports/1")
	first := waitRuntime(t, other, "the time", func(r ReportRuntime) bool { return r.Since != nil })
	waitRuntime(t, report, "the note", func(r ReportRuntime) bool { return r.Note == "not begun" })

	var total int64
	report.Call(t, &total, "make")
	if total != 45 || *report.State().Total != 45 {
		t.Errorf("the total is %d", total)
	}
	waitRuntime(t, report, "the end", func(r ReportRuntime) bool { return r.Percent == 100 && r.Note == "" })

	client.Drop()
	if err := client.Dial(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := other.Resume(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitRuntime(t, other, "another time", func(r ReportRuntime) bool { return r.Since != nil && r.Since.After(*first.Since) })
}
