package pando_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pando-sync/pando"
	"github.com/pando-sync/pando/feed/sqlitefeed"
	"github.com/pando-sync/pando/pandotest"
)

// pagedChannel has its anchor first and an argument behind it.
type pagedChannel struct {
	pando.Channel[gauge, pando.NoRuntime]
}

func (*pagedChannel) HasPermission(context.Context) (bool, error) { return true, nil }

type pagedArgs struct {
	GaugeID int64
	Page    uint8 `arg:"page_no"`
}

// Page tells the arguments as the channel sees them.
func (c *pagedChannel) Page(context.Context) ([]int64, error) {
	args, err := pando.ArgsOf[pagedArgs](c)
	return []int64{args.GaugeID, int64(args.Page), c.Args().Int("gauge_id")}, err
}

func TestArgsOfARoute(t *testing.T) {
	db := pandotest.Database(t)
	exec(t, db, "CREATE TABLE gauges (id INTEGER PRIMARY KEY, count INTEGER NOT NULL); INSERT INTO gauges VALUES (7, 1)")
	source := sqlitefeed.New(db)
	defer source.Close()
	app, err := pando.New(pando.Config{Source: source})
	if err != nil {
		t.Fatal(err)
	}
	app.Handle("gauges/{gauge_id}/pages/{page_no}", pando.For(func() *pagedChannel { return &pagedChannel{} },
		pando.Public(), pando.AnchorBy("gauge_id"), pando.Actions((*pagedChannel).Page)))
	server := pandotest.Serve(t, app)
	if status, body := get(t, server.URL+"/state/gauges/7/pages/3", ""); status != 200 || body != `{"id":"7","count":1}`+"\n" {
		t.Errorf("state: %d %s", status, body)
	}
	client := server.Connect(t, "")
	var got []int64
	pandotest.Open[gauge](t, client, "gauges/7/pages/3").Call(t, &got, "page")
	if len(got) != 3 || got[0] != 7 || got[1] != 3 || got[2] != 7 {
		t.Errorf("the arguments are %v", got)
	}
	err = pandotest.Open[gauge](t, server.Connect(t, ""), "gauges/7/pages/many").Try(t.Context(), nil, "page")
	var coded *pando.Error
	if !errors.As(err, &coded) || coded.Code != "bad_argument" {
		t.Errorf("a page that is no number gave %v", err)
	}
}
